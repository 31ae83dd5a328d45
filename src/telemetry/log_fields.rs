//! The fields of a text log line, written so that no value can pass for a second field or a second line.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use super::redact::write_escaped;

/// Writes the message and then `name=value` pairs; a value with a space, quote or `=` in it is quoted.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_empty: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    is_empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn field(&mut self, field: &Field, value: &str) -> fmt::Result {
        if !self.is_empty {
            self.writer.write_char(' ')?;
        }
        self.is_empty = false;
        if field.name() == "message" {
            return value.chars().try_for_each(|character| write_escaped(&mut self.writer, character));
        }
        write!(self.writer, "{}=", field.name())?;
        if value.is_empty() || value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '=')) {
            self.quoted(value)
        } else {
            value.chars().try_for_each(|character| write_escaped(&mut self.writer, character))
        }
    }

    fn quoted(&mut self, value: &str) -> fmt::Result {
        self.writer.write_char('"')?;
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                self.writer.write_char('\\')?;
            }
            write_escaped(&mut self.writer, character)?;
        }
        self.writer.write_char('"')
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.result.is_ok() {
            self.result = self.field(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
