//! `UserBuckets`: one bucket for each user, whichever workers its allocations are on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::token_bucket::SharedBucket;

/// The buckets of all users that have an allocation; touched only when allocations come and go.
#[derive(Debug, Default)]
pub(super) struct UserBuckets(Mutex<HashMap<Box<[u8]>, Arc<SharedBucket>>>);

/// One allocation's hold on the bucket of its user.
#[derive(Debug)]
pub(super) struct UserBucket {
    registry: Arc<UserBuckets>,
    account: Box<[u8]>,
    bucket: Arc<SharedBucket>,
}

impl UserBuckets {
    pub(super) fn bucket_of(self: &Arc<Self>, account: &[u8]) -> UserBucket {
        // A poisoned map is still whole: each change is one step.
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = Arc::clone(buckets.entry(account.into()).or_default());
        UserBucket { registry: Arc::clone(self), account: account.into(), bucket }
    }
}

impl UserBucket {
    pub(super) fn bucket(&self) -> &SharedBucket {
        &self.bucket
    }
}

impl Drop for UserBucket {
    fn drop(&mut self) {
        let mut buckets = self.registry.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one: nobody makes another without the lock.
        if Arc::strong_count(&self.bucket) == 2 {
            buckets.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lives_as_long_as_its_user_has_allocations() {
        let buckets = Arc::new(UserBuckets::default());
        let (first, second) = (buckets.bucket_of(b"alice"), buckets.bucket_of(b"alice"));
        let other = buckets.bucket_of(b"bob");
        assert!(Arc::ptr_eq(&first.bucket, &second.bucket) && !Arc::ptr_eq(&first.bucket, &other.bucket));
        drop(first);
        assert_eq!(buckets.0.lock().unwrap().len(), 2);
        drop((second, other));
        assert!(buckets.0.lock().unwrap().is_empty());
    }
}
