//! Random requests against what must always hold.

use std::collections::HashMap;

use proptest::prelude::*;

use super::harness::*;
use crate::turn::DropReason;

#[derive(Debug, Clone)]
enum Step {
    Allocate(usize),
    Refresh(usize, u32),
    Permit(usize, u8),
    Bind(usize, u16, u8),
    Send(usize, u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..3_usize;
    prop_oneof![
        client.clone().prop_map(Step::Allocate),
        (client.clone(), prop_oneof![Just(0), Just(600), Just(3600)])
            .prop_map(|(client, lifetime)| Step::Refresh(client, lifetime)),
        (client.clone(), 1..4_u8).prop_map(|(client, peer)| Step::Permit(client, peer)),
        (client.clone(), 0x4000..0x4003_u16, 1..4_u8)
            .prop_map(|(client, number, peer)| Step::Bind(client, number, peer)),
        (client, 1..4_u8).prop_map(|(client, peer)| Step::Send(client, peer)),
        (1..400_u64).prop_map(Step::Wait),
    ]
}

fn peer(number: u8) -> String {
    format!("10.0.0.{number}:5000")
}

/// What the outputs add up to, kept apart from the server.
#[derive(Default)]
struct Model {
    begun: usize,
    ended: usize,
    /// Until when each client may reach each peer, by the answers that it got.
    permitted_until: HashMap<(usize, u8), u64>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_leaks_and_nothing_passes_without_permission(steps in proptest::collection::vec(step(), 1..80)) {
        let mut net = Harness::new();
        let mut clients = [4000, 4001, 4002].map(|port| net.client("alice", "wonderland", port));
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Allocate(client) => {
                    net.renew_nonce(&mut clients[client]);
                    if net.allocate(&clients[client]).code() == 0 {
                        model.begun += 1;
                    }
                }
                Step::Refresh(client, lifetime) => {
                    net.renew_nonce(&mut clients[client]);
                    if net.refresh(&clients[client], lifetime).code() == 0 && lifetime == 0 {
                        model.ended += 1;
                        model.permitted_until.retain(|&(of, _), _| of != client);
                    }
                }
                Step::Permit(client, number) => {
                    net.renew_nonce(&mut clients[client]);
                    if net.permit(&clients[client], &peer(number)) == 0 {
                        let until = net.now.unix_seconds + 300;
                        let entry = model.permitted_until.entry((client, number)).or_default();
                        *entry = until.max(*entry);
                    }
                }
                Step::Bind(client, channel, number) => {
                    net.renew_nonce(&mut clients[client]);
                    if net.bind(&clients[client], channel, &peer(number)) == 0 {
                        model.permitted_until.insert((client, number), net.now.unix_seconds + 600);
                    }
                }
                Step::Send(client, number) => {
                    let until = model.permitted_until.get(&(client, number)).copied().unwrap_or(0);
                    let seen = net.send(clients[client].path, &send_indication(&peer(number), b"x"));
                    let has_passed = matches!(seen[..], [Seen::ToPeer { .. }]);
                    let is_dropped = matches!(
                        seen[..],
                        [Seen::Drop(DropReason::NoPermission | DropReason::NoAllocation)]
                    );
                    prop_assert!(has_passed || is_dropped);
                    prop_assert!(!has_passed || net.now.unix_seconds < until);
                }
                Step::Wait(seconds) => {
                    for seen in net.seconds(seconds) {
                        model.ended += usize::from(matches!(seen, Seen::End(_)));
                    }
                    prop_assert!(net.server.poll_timeout().is_none_or(|deadline| deadline > net.now.instant));
                }
            }
            prop_assert_eq!(net.server.allocation_count(), model.begun - model.ended);
            prop_assert_eq!(net.live.len(), net.server.allocation_count());
        }
        net.seconds(4000);
        prop_assert_eq!(net.server.allocation_count(), 0);
        prop_assert_eq!(net.server.poll_timeout(), None);
    }
}
