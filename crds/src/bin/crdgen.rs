//! Prints every custom resource definition as YAML, or writes one file a kind into the directory given.

use std::path::PathBuf;

use openreg_crds::definition;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).map(PathBuf::from);
    for definition in definition::all() {
        let text = definition::to_yaml(&definition)?;
        match &directory {
            None => println!("---\n{text}"),
            Some(directory) => {
                let plural = definition["spec"]["names"]["plural"].as_str().unwrap_or_default();
                std::fs::create_dir_all(directory)?;
                std::fs::write(directory.join(format!("{plural}.yaml")), text)?;
            }
        }
    }
    Ok(())
}
