//! Runs the targets on a stable compiler: every seed, then mutations of seeds for a given time.
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml -- --seconds 20               all targets, 20 s together
//! cargo run --manifest-path fuzz/Cargo.toml -- --target head --seed 7     one target, another order
//! cargo run --manifest-path fuzz/Cargo.toml -- --target head FILE…        exactly these inputs
//! ```
//!
//! What makes a target panic is kept in `fuzz/artifacts/`, and the exit code is 1.
#![forbid(unsafe_code)]

#[path = "replay/mutate.rs"]
mod mutate;

use countersign_fuzz::{TARGETS, Target};
use mutate::Mutator;
use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Longest input made here, in bytes.
const LENGTH_MAX: usize = 4_096;
/// One input may take this long, in an unoptimized build on a busy machine.
const INPUT_MAX: Duration = Duration::from_secs(5);

struct Args {
    seconds: u64,
    seed: u64,
    target: Option<String>,
    files: Vec<PathBuf>,
}

fn args() -> Result<Args, String> {
    let mut args = Args { seconds: 20, seed: 1, target: None, files: Vec::new() };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is not a whole number"));
        match word.as_str() {
            "--seconds" => args.seconds = number(value()?)?,
            "--seed" => args.seed = number(value()?)?,
            "--target" => args.target = Some(value()?),
            option if option.starts_with('-') => return Err(format!("there is no {option}")),
            file => args.files.push(file.into()),
        }
    }
    Ok(args)
}

fn main() -> ExitCode {
    match args().and_then(|args| run(&args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("replay: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held.
fn run(args: &Args) -> Result<bool, String> {
    let wanted = |target: &&Target| args.target.as_deref().is_none_or(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    if targets.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no such target; there are: {}", names.join(" ")));
    }
    let share = Duration::from_millis(args.seconds * 1_000 / targets.len() as u64);
    let mut held = true;
    for target in targets {
        let seeds = if args.files.is_empty() { seeds_of(target)? } else { read(&args.files)? };
        let share = if args.files.is_empty() { share } else { Duration::ZERO };
        let began = Instant::now();
        let tried = seeds.iter().try_for_each(|seed| attempt(target, seed)).and_then(|()| {
            let mut mutator = Mutator::new(args.seed, &seeds, target.words, LENGTH_MAX);
            let mut count = seeds.len();
            while began.elapsed() < share {
                attempt(target, &mutator.next_input())?;
                count += 1;
            }
            Ok(count)
        });
        match tried {
            Ok(count) => println!("{:12} {count} inputs, {} of them seeds", target.name, seeds.len()),
            Err(kept) => {
                println!("{:12} FAILED on {}", target.name, kept.display());
                held = false;
            }
        }
    }
    Ok(held)
}

/// Runs one input; where it is kept if it fails.
fn attempt(target: &Target, input: &[u8]) -> Result<(), PathBuf> {
    let began = Instant::now();
    let run = target.run;
    let held = catch_unwind(|| run(input)).is_ok();
    if held && began.elapsed() < INPUT_MAX {
        return Ok(());
    }
    if held {
        eprintln!("an input of {} bytes took {:?}", input.len(), began.elapsed());
    }
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = here().join("artifacts").join(target.name);
    let file = folder.join(format!("{:016x}", hasher.finish()));
    if let Err(e) = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input)) {
        eprintln!("the input cannot be kept: {e}; it is {input:?}");
    }
    Err(file)
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The seeds of a target. None is a mistake: then nothing would be tried that goes deep.
fn seeds_of(target: &Target) -> Result<Vec<Vec<u8>>, String> {
    let folder = here().join("seeds").join(target.name);
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut files = fs::read_dir(&folder)?.map(|e| Ok(e?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    };
    let files = list().map_err(|e| format!("{}: {e}", folder.display()))?;
    if files.is_empty() {
        return Err(format!("{} is empty", folder.display()));
    }
    read(&files)
}

fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    files.iter().map(|file| fs::read(file).map_err(|e| format!("{}: {e}", file.display()))).collect()
}
