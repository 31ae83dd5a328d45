//! One port for relay and gateway.

use super::Files;

#[test]
fn the_gateway_shares_the_very_address_of_a_stream_listener() {
    let turn = "[turn]\nlisten_tcp = [\"[::]:443\", \"0.0.0.0:443\"]\n";
    let turn_tls = "[turn.tls]\ncertificate = \"/turn.crt\"\nprivate_key = \"/turn.key\"\n";
    let gateway = "[gateway]\nlisten = \"0.0.0.0:443\"\n";
    let gateway_tls = "[gateway.tls]\ncertificate = \"/gateway.crt\"\nprivate_key = \"/gateway.key\"\n";
    let load = |config: &[&str]| Files::new(&config.concat()).load(&[]).unwrap();

    let settings = load(&[turn, gateway]);
    assert_eq!(settings.relay.http, Some("0.0.0.0:443".parse().unwrap()));
    assert_eq!((settings.gateway.listen, settings.gateway.tls), (None, None));

    let certificate_of = |config: &[&str]| {
        let settings = load(config);
        let path = settings.gateway.tls.unwrap().certificate;
        (path.display().to_string(), settings.gateway.allows_plain)
    };
    assert_eq!(certificate_of(&[turn, turn_tls, gateway]), ("/turn.crt".into(), true));
    assert_eq!(certificate_of(&[turn, turn_tls, gateway, gateway_tls]), ("/gateway.crt".into(), false));
    assert_eq!(certificate_of(&[turn, gateway, gateway_tls]), ("/gateway.crt".into(), false));

    let apart = load(&[turn, turn_tls, "[gateway]\nlisten = \"0.0.0.0:8443\"\n"]);
    assert_eq!(apart.relay.http, None);
    assert_eq!((apart.gateway.listen, apart.gateway.tls), (Some("0.0.0.0:8443".parse().unwrap()), None));
    let any = load(&["[turn]\nlisten_tcp = [\"127.0.0.1:0\"]\n", "[gateway]\nlisten = \"127.0.0.1:0\"\n"]);
    assert_eq!(any.relay.http, None, "two free ports are two");
}
