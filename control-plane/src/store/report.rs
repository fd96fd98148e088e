//! What opening a store found and did, in words for the log.

use std::fmt;

use innkeeper_wire::error::chain;

use super::{
    Head,
    error::{IndexDoubt, JournalError},
    key::Key,
    replay::Tail,
};

/// What opening found and did, for the log and for `check-store`.
#[derive(Debug)]
pub struct OpenReport {
    /// Sequence of the checkpoint from which the journal was read; `None` from its beginning.
    pub checkpoint: Option<u64>,
    /// Checkpoints that could not be used: somebody should look at the disk. What is there of them was put aside.
    pub doubtful: Vec<CheckpointDoubt>,
    /// Where the chain stands.
    pub head: Head,
    /// Records there are.
    pub records: usize,
    /// Those of them that whoever opens it does not know ([`super::Options::is_known`]).
    pub unknown: UnknownRecords,
    /// What was found behind the last valid batch, and cut.
    pub tail: Tail,
    /// What became of the index.
    pub index: IndexFate,
}

impl fmt::Display for OpenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            checkpoint,
            doubtful,
            head,
            records,
            unknown,
            tail,
            index,
        } = self;
        write!(f, "{records} records after {} commits, ", head.sequence)?;
        match checkpoint {
            Some(sequence) => write!(f, "read from the checkpoint at commit {sequence} on")?,
            None => f.write_str("read from the first commit on")?,
        }
        if !doubtful.is_empty() {
            write!(f, ", {} checkpoints could not be used", doubtful.len())?;
        }
        match tail {
            Tail::Clean => {}
            Tail::UnfinishedBatch { bytes, .. } => {
                write!(f, ", cut {bytes} bytes that were never acknowledged")?;
            }
            Tail::UnfinishedSegment { .. } => {
                f.write_str(", cut a segment that was being begun")?
            }
        }
        if unknown.count > 0 {
            write!(f, ", {} of the records are not known", unknown.count)?;
        }
        match index {
            IndexFate::CaughtUp { commits: 0 } => f.write_str("; the index was up to date"),
            IndexFate::CaughtUp { commits } => {
                write!(f, "; the index was {commits} commits behind")
            }
            IndexFate::Built => f.write_str("; the index was built"),
            IndexFate::Rebuilt { doubt } => {
                write!(f, "; the index was built anew: {}", chain(doubt))
            }
        }
    }
}

/// Records that whoever opens the store does not know.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UnknownRecords {
    /// The first ones, as they are.
    pub first: Vec<(Key, Vec<u8>)>,
    /// How many there are.
    pub count: usize,
}

impl UnknownRecords {
    /// Of so many it is said which they are.
    const FIRST: usize = 3;

    /// One more.
    pub fn note(&mut self, key: &Key, value: &[u8]) {
        if self.first.len() < Self::FIRST {
            self.first.push((key.clone(), value.to_vec()));
        }
        self.count += 1;
    }
}

/// A checkpoint that could not be used.
#[derive(Debug)]
pub struct CheckpointDoubt {
    /// Its file.
    pub name: String,
    /// Why.
    pub error: JournalError,
}

/// What became of the index.
#[derive(Debug)]
pub enum IndexFate {
    /// It was right, after this many commits were added to it.
    CaughtUp {
        /// Commits added.
        commits: u64,
    },
    /// It was missing or empty, and was built.
    Built,
    /// It could not be trusted: it was moved aside and built anew.
    Rebuilt {
        /// What was wrong with it.
        doubt: IndexDoubt,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opened_store_is_described_in_words() {
        let report = OpenReport {
            checkpoint: Some(7),
            doubtful: vec![],
            head: Head {
                epoch: 1,
                sequence: 9,
                hash: [0; 32],
            },
            records: 4,
            unknown: UnknownRecords::default(),
            tail: Tail::Clean,
            index: IndexFate::CaughtUp { commits: 0 },
        };
        assert_eq!(
            report.to_string(),
            "4 records after 9 commits, read from the checkpoint at commit 7 on; the index was up to date"
        );
        let torn = OpenReport {
            checkpoint: None,
            tail: Tail::UnfinishedBatch {
                segment: "0.journal".to_owned(),
                offset: 1,
                bytes: 40,
            },
            index: IndexFate::Rebuilt {
                doubt: IndexDoubt::OtherHistory,
            },
            ..report
        };
        assert_eq!(
            torn.to_string(),
            "4 records after 9 commits, read from the first commit on, cut 40 bytes that were never acknowledged; \
             the index was built anew: the index belongs to another history"
        );
    }
}
