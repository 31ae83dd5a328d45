//! `PerFamily`: one of something for IPv4 and one for IPv6, as a dual allocation has them (RFC 8656 §7).

use crate::wire::AddressFamily;

/// A value for each address family.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PerFamily<T> {
    /// That of IPv4.
    pub v4: T,
    /// That of IPv6.
    pub v6: T,
}

impl<T> PerFamily<T> {
    /// The value of a family.
    pub fn get(&self, family: AddressFamily) -> &T {
        match family {
            AddressFamily::Ipv4 => &self.v4,
            AddressFamily::Ipv6 => &self.v6,
        }
    }

    /// The value of a family, to be changed.
    pub fn get_mut(&mut self, family: AddressFamily) -> &mut T {
        match family {
            AddressFamily::Ipv4 => &mut self.v4,
            AddressFamily::Ipv6 => &mut self.v6,
        }
    }
}

impl<T> PerFamily<Option<T>> {
    /// Only this one.
    pub fn one(family: AddressFamily, value: T) -> Self {
        match family {
            AddressFamily::Ipv4 => Self { v4: Some(value), v6: None },
            AddressFamily::Ipv6 => Self { v4: None, v6: Some(value) },
        }
    }

    /// The values that are there, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.v4.iter().chain(&self.v6)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }

    /// Each value changed by `change`.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> PerFamily<Option<U>> {
        PerFamily { v4: self.v4.map(&change), v6: self.v6.map(&change) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_value_of_a_family() {
        let mut both = PerFamily { v4: Some(4), v6: Some(6) };
        assert_eq!((both.get(AddressFamily::Ipv4), both.get(AddressFamily::Ipv6)), (&Some(4), &Some(6)));
        *both.get_mut(AddressFamily::Ipv4) = None;
        assert_eq!(both, PerFamily::one(AddressFamily::Ipv6, 6));
        assert_eq!(both.iter().collect::<Vec<_>>(), [&6]);
        assert!(!both.is_empty());
        assert_eq!(both.map(|value| value * 2), PerFamily::one(AddressFamily::Ipv6, 12));
    }
}
