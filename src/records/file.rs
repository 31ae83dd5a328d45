//! `RecordFile`: a line of JSON for each record, in a file that is put aside when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::delivery::{Take, Taken};
use super::error::RecordsError;
use super::record::SessionRecord;
use super::settings::FileSettings;
use crate::telemetry::Taker;

/// The file that lines are added to.
#[derive(Debug)]
pub(super) struct RecordFile {
    settings: FileSettings,
    /// Opened when it is written to.
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
}

impl RecordFile {
    /// Opens the file, so that one that cannot be written to is noticed at the start.
    pub(super) fn new(settings: &FileSettings) -> Result<Self, RecordsError> {
        let failed = |source| RecordsError::File { path: settings.path.clone(), source };
        let open = OpenFile::open(&settings.path).map_err(failed)?;
        Ok(Self { settings: settings.clone(), open: Some(open) })
    }

    /// Adds the lines, all of them or none.
    fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        let FileSettings { path, max_bytes, files } = &self.settings;
        let mut open = match self.open.take().filter(|open| open.is_at(path)) {
            Some(open) => open,
            // Others put files aside as well.
            None => OpenFile::open(path)?,
        };
        if open.bytes > 0 && open.bytes + lines.len() as u64 > *max_bytes {
            put_aside(path, *files)?;
            open = OpenFile::open(path)?;
        }
        let written = open.file.write_all(lines).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            // A part of it would be no line; all of it comes again.
            open.file.set_len(open.bytes)?;
            return Err(error);
        }
        open.bytes += lines.len() as u64;
        self.open = Some(open);
        Ok(())
    }
}

impl Take for RecordFile {
    const TAKER: Taker = Taker::File;
    /// Some 500 KB, with one wait for the disk.
    const AT_ONCE: usize = 1000;
    type Error = io::Error;

    async fn take(&mut self, records: Vec<SessionRecord>) -> Taken<io::Error> {
        let mut file = Self { settings: self.settings.clone(), open: self.open.take() };
        let wrote = spawn_blocking(move || {
            let result = lines(&records).and_then(|lines| file.add(&lines));
            (file.open, Taken::whole(&records, result))
        });
        match wrote.await {
            Ok((open, taken)) => {
                self.open = open;
                taken
            }
            Err(error) => Taken { sessions: Vec::new(), failure: Some(io::Error::other(error)) },
        }
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).mode(MODE).open(path)?;
        let bytes = end_of_lines(&mut file)?;
        // A process that was killed may have left a part of a line, whose record is still owed.
        file.set_len(bytes)?;
        Ok(Self { file, bytes })
    }

    fn is_at(&self, path: &Path) -> bool {
        let (Ok(here), Ok(there)) = (self.file.metadata(), fs::metadata(path)) else { return false };
        (here.dev(), here.ino()) == (there.dev(), there.ino())
    }
}

fn lines(records: &[SessionRecord]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// How long a file is without what follows its last line break.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let start = len.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let line_break = end.iter().rposition(|&byte| byte == b'\n');
    match line_break {
        Some(at) => Ok(start + at as u64 + 1),
        None if start == 0 => Ok(0),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file of lines; name another")),
    }
}

/// Makes `name` into `name.1`, that into `name.2` and so on, up to so many files.
fn put_aside(path: &Path, files: u32) -> io::Result<()> {
    let numbered = |number: u32| -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    };
    for number in (1..files.saturating_sub(1)).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    if files > 1 { fs::rename(path, numbered(1)) } else { fs::remove_file(path) }
}

/// User ids stand in it.
const MODE: u32 = 0o640;
/// Longer than any record: user ids come from bodies of 256 KiB.
const LONGEST_LINE: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn file_at(path: &Path, max_bytes: u64, files: u32) -> RecordFile {
        let settings = FileSettings { path: path.to_owned(), max_bytes, files };
        RecordFile::new(&settings).unwrap()
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_file_that_is_full_is_put_aside_and_few_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut file = file_at(&path, 10, 3);
        for line in ["one 1\n", "two 2\n", "three\n", "four 4\n"] {
            file.add(line.as_bytes()).unwrap();
        }
        let aside = |number: u32| text(&folder.path().join(format!("records.jsonl.{number}")));
        assert_eq!([text(&path), aside(1), aside(2), aside(3)], ["four 4\n", "three\n", "two 2\n", ""]);
        // What is larger than a file may be is still one.
        file.add(b"a line that is too long\n").unwrap();
        assert_eq!([text(&path), aside(1)], ["a line that is too long\n", "four 4\n"]);
    }

    #[test]
    fn of_one_file_the_newest_lines_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut file = file_at(&path, 10, 1);
        file.add(b"one 1\n").unwrap();
        file.add(b"two 2\n").unwrap();
        assert_eq!(text(&path), "two 2\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn goes_on_behind_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        fs::write(&path, "one\ntw").unwrap();
        file_at(&path, 100, 2).add(b"two\n").unwrap();
        assert_eq!(text(&path), "one\ntwo\n");
    }

    #[test]
    fn a_file_that_somebody_puts_aside_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut file = file_at(&path, 100, 2);
        file.add(b"one\n").unwrap();
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        file.add(b"two\n").unwrap();
        assert_eq!(text(&path), "two\n");
        fs::remove_file(&path).unwrap();
        file.add(b"three\n").unwrap();
        assert_eq!(text(&path), "three\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_to_is_an_error_at_the_start() {
        let settings = FileSettings { path: "/proc/records.jsonl".into(), max_bytes: 10, files: 1 };
        let error = RecordFile::new(&settings).unwrap_err();
        assert!(matches!(error, RecordsError::File { .. }), "{error}");
    }
}
