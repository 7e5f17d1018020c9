//! `openreg verify audit`: reads an export line by line and says whether its chain is whole.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use openreg_audit::Noted;
use openreg_audit::lines::{self, LinesError};
use openreg_plan::exit;

use crate::Answer;
use crate::failure::Failure;

/// Verifies the chain in `file`; `-` is standard input. With `noted`, also that it still has that head.
pub(crate) fn verify(file: &Path, noted: Option<Noted>) -> Answer {
    let reader: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(|e| Failure::io("read", file, &e))?))
    };
    let compared = noted.is_some();
    match lines::verify(reader, noted) {
        Ok(verified) => {
            println!("The chain is whole.");
            println!("  entries    {}", verified.entries);
            println!("  tenant     {}", verified.tenant.map_or_else(|| "none".to_owned(), |t| t.to_string()));
            println!("  head hash  {}", verified.head);
            if verified.entries == 0 {
                println!("It has no entries: is this the file you meant?");
            } else {
                if !compared {
                    println!("A chain cannot tell by itself that its end was cut off: compare it with a head that was noted earlier (--noted).");
                }
                println!("Note this one where nobody can change it: {}:{}", verified.entries, verified.head);
            }
            Ok(exit::OK)
        }
        Err(error) => {
            let code = if matches!(error, LinesError::Read { .. }) { exit::CONFIG } else { exit::DATA };
            let text = openreg_runner::stage::chain(&error);
            let broken = matches!(error, LinesError::Broken { .. });
            let hint = if matches!(error, LinesError::CutOff(_)) {
                "entries that were there once are missing: look for them in a backup or an earlier export"
            } else if broken {
                "entries before that line are unchanged; compare it with a backup or an earlier export to see what it was"
            } else {
                "give the file that GET /api/v1/audit/export answered, unchanged and whole"
            };
            Err(Failure {
                code,
                text,
                hint: Some(hint.to_owned()),
            })
        }
    }
}
