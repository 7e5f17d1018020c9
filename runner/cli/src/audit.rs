//! `openreg verify audit`: reads an export line by line and says whether its chain is whole.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use openreg_audit::lines::{self, LinesError};
use openreg_plan::exit;

use crate::Answer;
use crate::failure::Failure;

/// Verifies the chain in `file`; `-` is standard input.
pub(crate) fn verify(file: &Path) -> Answer {
    let reader: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(|e| Failure::io("read", file, &e))?))
    };
    match lines::verify(reader) {
        Ok(verified) => {
            println!("The chain is whole.");
            println!("  entries    {}", verified.entries);
            println!("  tenant     {}", verified.tenant.map_or_else(|| "none".to_owned(), |t| t.to_string()));
            println!("  head hash  {}", verified.head);
            if verified.entries == 0 {
                println!("It has no entries: is this the file you meant?");
            } else {
                println!("Compare the head hash with one noted earlier or elsewhere: a chain cannot tell that its end was cut off.");
            }
            Ok(exit::OK)
        }
        Err(error) => {
            let code = if matches!(error, LinesError::Read { .. }) { exit::CONFIG } else { exit::DATA };
            let text = openreg_runner::stage::chain(&error);
            let broken = matches!(error, LinesError::Broken { .. });
            let hint = if broken {
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
