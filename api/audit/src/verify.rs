//! Where a chain breaks first, and why. Takes entries one at a time, so a chain of any length needs no memory.

use uuid::Uuid;

use crate::entry::{Entry, GENESIS, hash};

/// The head of a chain as somebody wrote it down at some time, elsewhere than where the chain is kept. With one, a chain
/// tells also that its end was cut off, or that all of it was written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The entry's number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl std::str::FromStr for Noted {
    type Err = &'static str;

    /// `NUMBER:HASH`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write NUMBER:HASH, as an earlier verification printed it";
        let (seq, hash) = text.split_once(':').ok_or(FORM)?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(FORM)?;
        let right = hash.len() == GENESIS.len() && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let hash = if right { hash.to_ascii_lowercase() } else { return Err(FORM) };
        Ok(Self { seq, hash })
    }
}

/// The end of a chain is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain ends at entry {entries}, and entry {noted} was noted: its end was cut off")]
pub struct CutOff {
    /// Its last entry.
    pub entries: u64,
    /// The entry that was noted.
    pub noted: u64,
}

/// Follows a chain from its first entry.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    noted: Option<Noted>,
    tenant: Option<Uuid>,
    seq: u64,
    head: Option<String>,
}

/// A chain without a break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// Whose it is; absent for a chain without entries.
    pub tenant: Option<Uuid>,
    /// The hash of its last entry, to be compared with one kept elsewhere; [`GENESIS`] for a chain without entries.
    pub head: String,
}

/// The first entry at which a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain breaks at entry {seq}: {why}")]
pub struct Broken {
    /// The number that stands in the entry.
    pub seq: u64,
    /// Why.
    pub why: Why,
}

/// Why a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Entries are missing before this one.
    #[error("{missing} before it is missing")]
    Gap {
        /// Their numbers: `entry 3`, `entries 3 to 5`.
        missing: String,
    },
    /// The number was there already: an entry twice, or in another place.
    #[error("it stands where entry {expected} belongs: entries were moved or repeated")]
    Reordered {
        /// The number that belongs here.
        expected: u64,
    },
    /// It belongs to another tenant's chain.
    #[error("it belongs to tenant {found}, the chain to tenant {expected}")]
    OtherTenant {
        /// The chain's tenant.
        expected: Uuid,
        /// The entry's.
        found: Uuid,
    },
    /// It does not continue the entry before it.
    #[error("its prev is {found}, the entry before it has the hash {expected}: an entry was replaced")]
    Prev {
        /// The hash of the entry before.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Its content is not what was hashed.
    #[error("its content has the hash {expected}, it says {found}: a field was changed")]
    Hash {
        /// The hash of the content.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// It is not the entry that was there once.
    #[error("its hash is {found}, the hash that was noted is {noted}: the chain was written anew")]
    Noted {
        /// The hash that was noted.
        noted: String,
        /// What stands there.
        found: String,
    },
    /// Its time has more digits than are hashed.
    #[error("its time is finer than a microsecond, which no entry is: it was changed")]
    Time,
}

impl Verifier {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing seen yet, and a head to come by.
    pub fn expecting(noted: Option<Noted>) -> Self {
        Self { noted, ..Self::default() }
    }

    /// Takes the next entry. After an error the verifier is of no further use.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Broken> {
        self.judge(entry).map_err(|why| Broken { seq: entry.seq, why })?;
        self.tenant = Some(entry.tenant);
        self.seq = entry.seq;
        self.head = Some(entry.hash.clone());
        Ok(())
    }

    fn judge(&self, entry: &Entry) -> Result<(), Why> {
        if let Some(expected) = self.tenant
            && expected != entry.tenant
        {
            return Err(Why::OtherTenant { expected, found: entry.tenant });
        }
        let expected = self.seq + 1;
        if entry.seq > expected {
            let last = entry.seq - 1;
            let missing = if last == expected {
                format!("entry {expected}")
            } else {
                format!("each of the entries {expected} to {last}")
            };
            return Err(Why::Gap { missing });
        }
        if entry.seq < expected {
            return Err(Why::Reordered { expected });
        }
        let head = self.head.as_deref().unwrap_or(GENESIS);
        if entry.prev != head {
            return Err(Why::Prev {
                expected: head.to_owned(),
                found: entry.prev.clone(),
            });
        }
        if entry.at.as_nanosecond() % 1_000 != 0 {
            return Err(Why::Time);
        }
        let expected = hash(entry);
        if entry.hash != expected {
            return Err(Why::Hash {
                expected,
                found: entry.hash.clone(),
            });
        }
        match &self.noted {
            Some(noted) if noted.seq == entry.seq && noted.hash != entry.hash => Err(Why::Noted {
                noted: noted.hash.clone(),
                found: entry.hash.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// The chain as far as it was seen, unless what was noted did not come.
    pub fn finish(self) -> Result<Verified, CutOff> {
        if let Some(Noted { seq: noted, .. }) = self.noted
            && noted > self.seq
        {
            return Err(CutOff { entries: self.seq, noted });
        }
        Ok(Verified {
            entries: self.seq,
            tenant: self.tenant,
            head: self.head.unwrap_or_else(|| GENESIS.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chain(length: u64) -> Vec<Entry> {
        let mut chain: Vec<Entry> = Vec::new();
        for i in 0..length {
            let at = jiff::Timestamp::from_second(1_772_427_967 + i64::try_from(i).expect("small")).expect("a timestamp");
            let entry = Entry::next(chain.last(), Uuid::from_u128(7), at, "ada", "auth.login", &format!("user/{i}"), json!({"i": i}));
            chain.push(entry);
        }
        chain
    }

    fn verify(chain: &[Entry]) -> Result<Verified, Broken> {
        let mut verifier = Verifier::new();
        chain.iter().try_for_each(|entry| verifier.take(entry))?;
        Ok(verifier.finish().expect("nothing was noted"))
    }

    #[test]
    fn with_a_noted_head_a_chain_that_was_cut_off_or_written_anew_is_found() {
        let entries = chain(5);
        let against = |chain: &[Entry], seq: u64, hash: &str| -> Result<u64, String> {
            let mut verifier = Verifier::expecting(Some(format!("{seq}:{hash}").parse().expect("a head")));
            chain.iter().try_for_each(|entry| verifier.take(entry)).map_err(|e| e.to_string())?;
            verifier.finish().map(|v| v.entries).map_err(|e| e.to_string())
        };
        let head = &entries[4].hash;
        assert_eq!(against(&entries, 5, head), Ok(5));
        assert_eq!(against(&entries, 2, &entries[1].hash.to_uppercase()), Ok(5), "the chain went on since");
        assert!(verify(&entries[..3]).is_ok(), "by itself it cannot tell");
        let cut = against(&entries[..3], 5, head).expect_err("cut off");
        assert!(cut.contains("ends at entry 3, and entry 5 was noted"), "{cut}");
        assert!(against(&[], 5, head).is_err(), "all of it");
        let mut anew: Vec<Entry> = Vec::new();
        for entry in &entries {
            anew.push(Entry::next(
                anew.last(),
                entry.tenant,
                entry.at,
                "eve",
                &entry.action,
                &entry.subject,
                entry.detail.clone(),
            ));
        }
        assert!(verify(&anew).is_ok(), "by itself it cannot tell");
        let forged = against(&anew, 5, head).expect_err("written anew");
        assert!(forged.contains("breaks at entry 5") && forged.contains("written anew"), "{forged}");
        for bad in [
            "",
            "5",
            "5:",
            "0:",
            "x:y",
            &format!("0:{head}"),
            &format!("5:{}", &head[1..]),
            &format!("5:{}g", &head[1..]),
        ] {
            assert!(bad.parse::<Noted>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_whole_chain_verifies() {
        let entries = chain(5);
        let verified = verify(&entries).expect("verified");
        assert_eq!(
            verified,
            Verified {
                entries: 5,
                tenant: Some(Uuid::from_u128(7)),
                head: entries[4].hash.clone()
            }
        );
        assert_eq!(verify(&[]).expect("verified").head, GENESIS);
    }

    #[test]
    fn every_kind_of_break_is_found_where_it_is() {
        /// What is done to the chain, where it breaks then, part of why.
        type Case = (&'static str, fn(&mut Vec<Entry>), u64, &'static str);
        let cases: [Case; 10] = [
            ("a field changed", |c| c[2].actor = "eve".to_owned(), 3, "a field was changed"),
            ("a detail changed", |c| c[2].detail = json!({"i": 9}), 3, "a field was changed"),
            ("an entry removed", |c| drop(c.remove(2)), 4, "entry 3 before it is missing"),
            (
                "two entries removed",
                |c| drop(c.drain(1..3)),
                4,
                "each of the entries 2 to 3 before it is missing",
            ),
            ("the first removed", |c| drop(c.remove(0)), 2, "entry 1 before it is missing"),
            ("two entries swapped", |c| c.swap(1, 2), 3, "entry 2 before it is missing"),
            ("an entry twice", |c| c.insert(2, c[1].clone()), 2, "it stands where entry 3 belongs"),
            (
                "a hash made to fit a changed field",
                |c| {
                    c[2].actor = "eve".to_owned();
                    c[2].hash = hash(&c[2]);
                },
                4,
                "an entry was replaced",
            ),
            ("another tenant's entry", |c| c[2].tenant = Uuid::nil(), 3, "it belongs to tenant"),
            (
                "nanoseconds",
                |c| c[2].at = jiff::Timestamp::from_nanosecond(c[2].at.as_nanosecond() + 1).expect("a timestamp"),
                3,
                "finer than a microsecond",
            ),
        ];
        for (name, change, seq, why) in cases {
            let mut entries = chain(5);
            change(&mut entries);
            let broken = verify(&entries).expect_err(name);
            assert_eq!(broken.seq, seq, "{name}: {broken}");
            assert!(broken.to_string().contains(why), "{name}: {broken}");
        }
    }
}
