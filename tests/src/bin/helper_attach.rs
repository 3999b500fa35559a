//! An agent to be killed: attaches to the three markers of the provider `raw` of the program that it is given, or to
//! its first N of the sites every 16 bytes from `first_site` on (`helper_attach FILE N`), prints `ready` and waits for
//! the end of its standard input.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sidecar_agent::bpf::Site;
use sidecar_common::Spec;
use sidecar_tests::kernel::notes::Notes;
use sidecar_tests::kernel::session::{Session, options};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let path = PathBuf::from(args.next().context("usage: helper_attach FILE [N]")?);
    let count = args.next().map(|count| count.to_string_lossy().parse::<u64>()).transpose()?;
    let mut session = Session::load(&options())?;
    session.kernel.set_spec(0, &Spec::default())?;
    let notes = Notes::read(&path)?;
    let sites: Vec<Site> = match count {
        None => {
            ["hit", "start", "end"].iter().map(|name| notes.site("raw", name, 0)).collect::<Result<_>>()?
        }
        Some(count) => {
            let first = notes.symbol("first_site")?;
            (0..count).map(|i| Site { offset: first + 16 * i, semaphore: 0, cookie: 0 }).collect()
        }
    };
    let _link = session.kernel.attach(&File::open(&path)?, &sites)?;
    println!("ready");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
