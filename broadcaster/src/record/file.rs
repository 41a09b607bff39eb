//! A recording that is being written.

use std::{
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncSeekExt, AsyncWriteExt},
};

use super::{mp4::Closing, name};

pub(super) struct OpenFile {
    path: PathBuf,
    /// The name that it has while there is nothing in it to be played.
    unfinished: Option<PathBuf>,
    file: File,
    bytes: u64,
}

impl OpenFile {
    /// The name that it has when it can be played.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn create(dir: &Path, mut begins: Duration) -> io::Result<Self> {
        fs::create_dir_all(dir).await?;
        loop {
            let name = name::of(begins);
            let (path, unfinished) = (dir.join(&name), dir.join(name::unfinished(&name)));
            if !fs::try_exists(&path).await? {
                match OpenOptions::new().write(true).create_new(true).open(&unfinished).await {
                    Ok(file) => return Ok(Self { path, unfinished: Some(unfinished), file, bytes: 0 }),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            // A clock that was set back has been here before.
            begins += Duration::from_millis(1);
        }
    }

    pub(super) async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        // What was written in the background has failed or not only now.
        self.file.flush().await?;
        self.bytes += bytes.len() as u64;
        if let Some(unfinished) = &self.unfinished {
            fs::rename(unfinished, &self.path).await?;
            self.unfinished = None;
        }
        Ok(())
    }

    pub(super) async fn close(mut self, Closing { appended, replaced: (at, bytes) }: Closing) -> io::Result<()> {
        self.file.write_all(&appended).await?;
        self.file.seek(SeekFrom::Start(at)).await?;
        self.file.write_all(&bytes).await?;
        self.file.flush().await?;
        self.file.sync_data().await
    }

    /// Leaves what can be played, if anything can.
    pub(super) async fn give_up(self) -> io::Result<()> {
        match self.unfinished {
            Some(unfinished) => fs::remove_file(unfinished).await,
            None => self.file.set_len(self.bytes).await,
        }
    }
}
