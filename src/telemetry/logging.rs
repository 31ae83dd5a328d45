//! Starts the log: one line an event on standard error, as text or as JSON.

use std::io::{IsTerminal, stderr};

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::log_control::LogControl;
use super::log_fields::TextFields;
use super::redact;
use super::settings::{LogFormat, Settings};

/// Why the log did not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Something in this process already takes the events.
    #[error("logging was already started in this process; start it once")]
    AlreadyStarted(#[from] TryInitError),
}

/// Sends the events of the whole process to standard error from now on.
pub fn start_logging(settings: &Settings) -> Result<LogControl, LoggingError> {
    redact::decide(settings.shown_addresses, settings.shown_user_ids);
    let control = match settings.log_format {
        LogFormat::Text => {
            let (log, control) = text(settings, stderr, stderr().is_terminal());
            log.try_init()?;
            control
        }
        LogFormat::Json => {
            let (log, control) = json(settings, stderr);
            log.try_init()?;
            control
        }
    };
    Ok(control)
}

fn text<W>(
    settings: &Settings,
    writer: W,
    has_colours: bool,
) -> (impl Subscriber + Send + Sync + use<W>, LogControl)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(settings.log_filter.to_env_filter())
        .with_writer(writer)
        .with_ansi(has_colours)
        .fmt_fields(TextFields)
        .with_filter_reloading();
    let control = LogControl::new(settings.log_filter.clone(), builder.reload_handle());
    (builder.finish(), control)
}

fn json<W>(settings: &Settings, writer: W) -> (impl Subscriber + Send + Sync + use<W>, LogControl)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(settings.log_filter.to_env_filter())
        .with_writer(writer)
        .with_filter_reloading();
    let control = LogControl::new(settings.log_filter.clone(), builder.reload_handle());
    (builder.finish(), control)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing::{debug, info, info_span, subscriber};

    use super::*;
    use crate::telemetry::{ClientText, LogFilter, RedactedUser};

    const HOSTILE: &str =
        "eve\n2025-01-01T00:00:00Z ERROR forged status=200 \"x\" \u{1b}[31mred\u{9b}1m\u{2028}";

    #[test]
    fn keeps_a_hostile_user_id_on_its_line_in_text() {
        let log = Log::default();

        subscriber::with_default(text(&Settings::default(), log.writer(), false).0, log_hostile_values);

        let lines = log.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(!lines[0].contains(|c: char| c.is_control() || c == '\u{2028}'), "{lines:?}");
        assert!(lines[0].contains("offer answered user_id=\"eve\\\\n2025"), "{lines:?}");
        assert!(lines[0].contains("\\\"x\\\""), "{lines:?}");
        assert!(lines[0].ends_with("status=201"), "{lines:?}");
    }

    #[test]
    fn keeps_a_hostile_user_id_on_its_line_in_json() {
        let log = Log::default();

        subscriber::with_default(json(&Settings::default(), log.writer()).0, log_hostile_values);

        let lines = log.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(!lines[0].contains('\u{1b}'), "{lines:?}");
        let record: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(record["message"], "offer answered");
        assert_eq!(record["user_id"], RedactedUser(HOSTILE).to_string());
        assert_eq!(record["path"], record["user_id"]);
        assert_eq!(record["status"], 201);
        assert_eq!(record["level"], "INFO");
    }

    #[test]
    fn leaves_plain_values_unquoted_in_text() {
        let log = Log::default();

        subscriber::with_default(text(&Settings::default(), log.writer(), false).0, || {
            info!(user_id = %RedactedUser("user-42"), none = None::<u8>, empty = "", "offer answered");
        });

        assert!(log.lines()[0].ends_with("offer answered user_id=user-42 empty=\"\""), "{:?}", log.lines());
    }

    #[test]
    fn obeys_the_filter_and_the_next_one() {
        let log = Log::default();
        let settings =
            Settings { log_filter: LogFilter::parse("warn,turnpike=info").unwrap(), ..Settings::default() };

        let (subscriber, control) = text(&settings, log.writer(), false);
        subscriber::with_default(subscriber, || {
            info!("shown");
            debug!("hidden");
            info!(target: "another", "hidden");
            control.set(LogFilter::parse("debug").unwrap()).unwrap();
            debug!("shown now");
        });

        assert_eq!(log.lines().len(), 2);
        assert_eq!(control.filter().as_str(), "debug");
    }

    fn log_hostile_values() {
        let _span = info_span!("request", header = HOSTILE).entered();
        let path = ClientText::new(HOSTILE, 200);
        info!(user_id = %RedactedUser(HOSTILE), raw = %HOSTILE, text = HOSTILE, %path, status = 201, "offer answered");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        fn writer(&self) -> impl Fn() -> Self + Send + Sync + 'static + use<> {
            let log = self.clone();
            move || log.clone()
        }

        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
