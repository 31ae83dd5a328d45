//! Clients that are sent to another server, as long as that serves.

use turnpike::wire::Message;
use turnpike::wire::attribute::ALTERNATE_SERVER;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_sent_to_a_server_that_answers() {
    let other = start(CONFIG).await;
    let (up, down) = (other.turn_addrs()[0], socket().local_addr().unwrap());
    let settings = format!("workers = 2\nredirect = \"always\"\nalternate_servers = [\"{up}\", \"{down}\"]");
    // Asking until the answer changes is what the limit for strangers is against.
    let limits = "[turn.limits]\nunauthenticated_per_second = 0\n";
    let app = start(&(CONFIG.replace("workers = 2", &settings) + limits)).await;
    let server = app.turn_addrs()[0];
    let mut answer = Vec::new();
    // Until the other one has answered for the first time, clients are served here.
    eventually(|| {
        answer = Client::new(server).allocate();
        code(&answer) == 300
    });
    let named = Message::parse(&answer).unwrap().find(ALTERNATE_SERVER).unwrap().to_vec();
    assert_eq!(named[2..], [&up.port().to_be_bytes()[..], &[127, 0, 0, 1]].concat());
    assert!(metric(&app, "turnpike_turn_responses_total{code=\"300\"}") >= 1.0);
    assert_eq!(code(&Client::new(up).allocate()), 0);
    app.stop().await;
    other.stop().await;
}
