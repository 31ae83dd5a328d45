//! `UserTraffic`: which users have had the most relayed of late, in bounded memory; it is told the time.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::space_saving::{SpaceSaving, Sum};

/// What was relayed in the epoch that goes on and in the one before, which are the last five to ten minutes.
///
/// Users are told apart by client, as everywhere. A million of them take as much memory as a thousand: see [`SpaceSaving`].
#[derive(Debug)]
pub(super) struct UserTraffic {
    young: Epoch,
    old: Epoch,
}

/// A client's name, and what it calls its user.
pub(super) type User = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct Epoch {
    since: Instant,
    users: SpaceSaving<User>,
    /// All bytes, also those of nobody.
    total: u64,
}

/// Who has had the most relayed in the last five to ten minutes.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct BiggestUsers {
    /// How long ago the time began that is told of, 5 to 10 minutes once the process is as old.
    pub window_seconds: f64,
    /// Bytes of payloads both ways, of all sessions, also of those without a user.
    pub total_bytes: u64,
    /// The users, the one with the most bytes first.
    pub users: Vec<UserShare>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct UserShare {
    /// Whose keys opened the user's sessions.
    pub client: String,
    /// The `user_id` of the offers.
    pub user_id: String,
    /// Bytes of payloads both ways: at least so many.
    pub bytes: u64,
    /// And at most so many more. It is 0 as long as a thousand users or fewer come within five minutes, and never more than
    /// a thousandth of all bytes.
    pub error_bytes: u64,
    /// The share of all bytes, 0 to 1.
    pub share: f64,
}

impl UserTraffic {
    pub(super) fn new(now: Instant) -> Self {
        Self { young: Epoch::new(now), old: Epoch::new(now) }
    }

    /// So much more was relayed, for a user or for nobody.
    pub(super) fn relayed(&mut self, user: Option<&User>, bytes: u64, now: Instant) {
        self.turn_over_if_due(now);
        self.young.total = self.young.total.saturating_add(bytes);
        if let Some(user) = user {
            self.young.users.add(user, bytes);
        }
    }

    /// At most so many users, the one with the most bytes first.
    pub(super) fn biggest(&mut self, most: usize, now: Instant) -> BiggestUsers {
        self.turn_over_if_due(now);
        let total = self.young.total.saturating_add(self.old.total);
        let mut users = self.users();
        // Those that have as much stand in the order of their names, so that the list is the same each time.
        let order = |(one, sum): &(&User, Sum), (other, other_sum): &(&User, Sum)| {
            other_sum.own.cmp(&sum.own).then_with(|| one.cmp(other))
        };
        if users.len() > most {
            users.select_nth_unstable_by(most, order);
            users.truncate(most);
        }
        users.sort_unstable_by(order);
        let share = |((client, user_id), Sum { own, foreign }): (&User, Sum)| UserShare {
            client: client.to_string(),
            user_id: user_id.to_string(),
            bytes: own,
            error_bytes: foreign,
            share: own as f64 / total as f64,
        };
        BiggestUsers {
            window_seconds: now.saturating_duration_since(self.old.since).as_secs_f64(),
            total_bytes: total,
            users: users.into_iter().map(share).collect(),
        }
    }

    /// Every user with a counter, once, with both epochs together.
    fn users(&self) -> Vec<(&User, Sum)> {
        let (young, old) = (&self.young.users, &self.old.users);
        let of_both = |one: Sum, other: Sum| Sum {
            own: one.own.saturating_add(other.own),
            foreign: one.foreign.saturating_add(other.foreign),
        };
        let of_young = young.iter().map(|(user, sum)| (user, of_both(sum, old.get(user))));
        let of_old = old.iter().filter(|(user, _)| young.get(user).own == 0);
        of_young.chain(of_old.map(|(user, sum)| (user, of_both(sum, young.get(user))))).collect()
    }

    fn turn_over_if_due(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.young.since);
        if age >= EPOCH * 2 {
            *self = Self::new(now);
        } else if age >= EPOCH {
            // Nothing was told of since, so what the young one has is of its own time.
            let next = Epoch::new(self.young.since + EPOCH);
            self.old = std::mem::replace(&mut self.young, next);
        }
    }
}

impl Epoch {
    fn new(since: Instant) -> Self {
        Self { since, users: SpaceSaving::new(COUNTERS), total: 0 }
    }
}

/// Short enough to tell of what goes on, long enough that a video of single frames has sent some.
const EPOCH: Duration = Duration::from_secs(300);
/// So that nobody with a thousandth of the traffic is missed. A name has at most 1 KiB, so both epochs take 2 MiB at the most.
const COUNTERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tells_users_of_two_clients_apart_and_counts_nobody_in_the_total_alone() {
        let now = Instant::now();
        let mut traffic = UserTraffic::new(now);

        traffic.relayed(Some(&user("app", "1")), 300, now);
        traffic.relayed(Some(&user("other", "1")), 500, now);
        traffic.relayed(Some(&user("app", "1")), 100, now);
        traffic.relayed(None, 1100, now);

        let told = traffic.biggest(5, now);
        assert_eq!(told.total_bytes, 2000);
        assert_eq!(told.users, [share("other", "1", 500, 0.25), share("app", "1", 400, 0.2)]);
        assert_eq!(traffic.biggest(1, now).users, [share("other", "1", 500, 0.25)]);
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_after_two_epochs() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut traffic = UserTraffic::new(start);

        traffic.relayed(Some(&user("app", "ann")), 100, at(10));
        traffic.relayed(Some(&user("app", "ann")), 20, at(310));
        traffic.relayed(Some(&user("app", "bob")), 30, at(310));

        let both = traffic.biggest(5, at(590));
        assert_eq!(both.users, [share("app", "ann", 120, 0.8), share("app", "bob", 30, 0.2)]);
        assert_eq!(both.window_seconds, 590.0);
        let second = traffic.biggest(5, at(610));
        assert_eq!(second.users, [share("app", "bob", 30, 0.6), share("app", "ann", 20, 0.4)]);
        assert_eq!(second.window_seconds, 310.0);
        let nothing = traffic.biggest(5, at(1300));
        assert_eq!((nothing.total_bytes, nothing.users.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn users_with_as_many_bytes_stand_in_the_order_of_their_names() {
        let now = Instant::now();
        let mut traffic = UserTraffic::new(now);
        for name in ["d", "b", "a", "c"] {
            traffic.relayed(Some(&user("app", name)), 100, now);
        }

        let names: Vec<String> =
            traffic.biggest(3, now).users.into_iter().map(|share| share.user_id).collect();

        assert_eq!(names, ["a", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_biggest_are_found_among_a_million_that_come_once() {
        let start = Instant::now();
        let mut traffic = UserTraffic::new(start);
        let (app, heavy): (Arc<str>, _) = ("app".into(), user("app", "heavy"));

        for n in 0..1_000_000_u64 {
            // Ten minutes, so that both epochs are full.
            let now = start + Duration::from_micros(n * 599);
            let stranger = (Arc::clone(&app), n.to_string().into());
            traffic.relayed(Some(&stranger), 1000, now);
            if n % 100 == 0 {
                traffic.relayed(Some(&heavy), 1000, now);
            }
        }

        let told = traffic.biggest(10, start + Duration::from_secs(599));
        let first = &told.users[0];
        assert_eq!((&*first.user_id, told.users.len(), told.total_bytes), ("heavy", 10, 1_010_000_000));
        assert!(first.bytes <= 10_000_000 && 10_000_000 <= first.bytes + first.error_bytes, "{first:?}");
        assert!(told.users.iter().all(|user| user.error_bytes <= told.total_bytes / 1000), "{told:?}");
        assert!(told.users.iter().map(|user| user.bytes).sum::<u64>() <= told.total_bytes);
        assert_eq!(traffic.users().len(), 2 * COUNTERS - 1, "heavy is in both");
    }

    fn user(client: &str, user_id: &str) -> User {
        (client.into(), user_id.into())
    }

    fn share(client: &str, user_id: &str, bytes: u64, share: f64) -> UserShare {
        UserShare { client: client.to_owned(), user_id: user_id.to_owned(), bytes, error_bytes: 0, share }
    }
}
