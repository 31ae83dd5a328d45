//! `Health`: what the answers to health checks say about one backend.

use super::settings::HealthCheckSettings;

/// Well until a check says otherwise.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_unhealthy: bool,
    /// Checks in a row that speak against the verdict.
    against: u32,
    was_checked: bool,
}

impl Health {
    pub(super) fn is_unhealthy(&self) -> bool {
        self.is_unhealthy
    }

    /// A check came back. True if that changes the verdict.
    pub(super) fn checked(&mut self, is_well: bool, settings: &HealthCheckSettings) -> bool {
        let is_first = !std::mem::replace(&mut self.was_checked, true);
        if is_well != self.is_unhealthy {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let needed = match is_well {
            true => settings.healthy_after,
            false => settings.unhealthy_after,
        };
        // There is no better knowledge yet that the first check could be weighed against.
        let turns = is_first || self.against >= needed;
        if turns {
            self.is_unhealthy = !is_well;
            self.against = 0;
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_after_checks_in_a_row() {
        let settings =
            HealthCheckSettings { unhealthy_after: 3, healthy_after: 2, ..HealthCheckSettings::default() };
        let mut health = Health::default();
        let mut check = |is_well| (health.checked(is_well, &settings), health.is_unhealthy());

        assert_eq!(check(true), (false, false));
        assert_eq!(check(false), (false, false));
        assert_eq!(check(false), (false, false));
        assert_eq!(check(true), (false, false));
        assert_eq!(check(false), (false, false));
        assert_eq!(check(false), (false, false));
        assert_eq!(check(false), (true, true));
        assert_eq!(check(true), (false, true));
        assert_eq!(check(false), (false, true));
        assert_eq!(check(true), (false, true));
        assert_eq!(check(true), (true, false));
    }

    #[test]
    fn believes_the_first_check() {
        let settings = HealthCheckSettings::default();
        let mut health = Health::default();

        assert!(health.checked(false, &settings));
        assert!(health.is_unhealthy());
    }
}
