//! The limit of a store on PostgreSQL: the statements of a verify over arrays, with the product's driver and schema, and
//! nothing around them. No HTTP, no JSON, no HMAC, no rule: what those cost is the distance to the product.
//!
//! ```text
//! mfa-pg-limit --url postgres://…   an empty database, which is filled
//!   --n 60000       verifies
//!   --callers 64    that each wait for their verify before they ask for the next
//!   --flight 2      transactions on the way at a time, each with all that has gathered meanwhile
//!   --batch 128     verifies in one transaction at most; 1 for a transaction each
//!   --trail         an entry in the trail for each, under the trail's lock, as in the product
//!   --database-pid P  the server, if it is on this machine: its CPU is told
//!   --name NAME     what to call it in the output
//!   --json FILE     add a JSON line
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: this is its output")]
#![expect(clippy::cast_precision_loss, reason = "counts, far below 2^52")]
mod batch;
mod fill;

use batch::Batcher;
use loadgen::{args::Args, procfs, stats::Latencies};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::Write as _,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, oneshot},
    task::LocalSet,
};
use tokio_postgres::{Client, NoTls};

fn main() -> ExitCode {
    let run = || {
        let names = ["url", "n", "callers", "flight", "batch", "database-pid", "name", "json"];
        let args = Args::read(std::env::args().skip(1), &names, &["trail"])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        LocalSet::new().block_on(&runtime.map_err(|e| e.to_string())?, run(&args))
    };
    let Err(why): Result<(), String> = run() else { return ExitCode::SUCCESS };
    eprintln!("mfa-pg-limit: {why}");
    ExitCode::FAILURE
}

async fn connect(url: &str) -> Result<Client, String> {
    let (client, wire) = tokio_postgres::connect(url, NoTls).await.map_err(|e| format!("{url}: {e}"))?;
    // Whoever uses the connection learns that it is gone.
    drop(tokio::task::spawn_local(async move { drop(wire.await) }));
    Ok(client)
}

type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// What waits to be verified, and what came of the rest.
#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<Waiting>>,
    come: Notify,
    batches: Cell<u32>,
    committing: Cell<Duration>,
    trouble: RefCell<Option<String>>,
}

/// Verifies what waits, as much at once as `most`.
async fn serve(queue: Rc<Queue>, batcher: Batcher, most: usize) {
    loop {
        let (challenges, asked): (Vec<_>, Vec<_>) = {
            let mut waiting = queue.waiting.borrow_mut();
            let most = waiting.len().min(most);
            waiting.drain(..most).unzip()
        };
        if challenges.is_empty() {
            queue.come.notified().await;
            continue;
        }
        match batcher.verify(&challenges).await {
            Ok(took) => {
                queue.batches.update(|n| n + 1);
                queue.committing.update(|sum| sum + took);
                asked.into_iter().for_each(|asked| asked.send(()).unwrap_or_default());
            }
            Err(why) => drop(queue.trouble.borrow_mut().get_or_insert(why)),
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    let url = args.text("url").ok_or("--url is needed")?;
    let (n, callers, flight, most) =
        (args.get("n", 60_000)?, args.get("callers", 64)?, args.get("flight", 2)?, args.get("batch", 128)?);
    let filler = connect(url).await?;
    let told = |e: tokio_postgres::Error| e.as_db_error().map_or_else(|| e.to_string(), ToString::to_string);
    fill::fill(&filler, n).await.map_err(told)?;
    let todo = Rc::new(RefCell::new(fill::challenges(&filler, n).await.map_err(told)?));
    let queue = Rc::new(Queue::default());
    for _ in 0..flight {
        let batcher = Batcher::new(connect(url).await?, args.has("trail")).await.map_err(told)?;
        drop(tokio::task::spawn_local(serve(Rc::clone(&queue), batcher, most)));
    }

    let database = args.get::<u32>("database-pid", 0)?;
    let database_cpu = || if database == 0 { 0.0 } else { procfs::family_cpu_s(database) };
    let (begun, cpu, its_cpu) = (Instant::now(), procfs::own_cpu_s(), database_cpu());
    let ran: Vec<_> =
        (0..callers).map(|_| tokio::task::spawn_local(call(Rc::clone(&todo), Rc::clone(&queue)))).collect();
    let mut latencies = Latencies::default();
    for caller in ran {
        latencies.append(&mut caller.await.map_err(|e| e.to_string())?);
    }
    let (took, cpu) = (begun.elapsed().as_secs_f64(), procfs::own_cpu_s() - cpu);
    let its_cpu = database_cpu() - its_cpu;
    if let Some(why) = queue.trouble.take() {
        return Err(why);
    }
    let done = latencies.count();
    let batches = queue.batches.get();
    let figures = serde_json::json!({
        "name": args.text("name").unwrap_or("pg-limit"), "op": "verify", "connections": callers,
        "rate_per_s": done as f64 / took,
        "p50_ms": latencies.quantile_ms(0.5), "p99_ms": latencies.quantile_ms(0.99),
        "cpu_us_per_op": cpu * 1e6 / done as f64, "database_cpu_us_per_op": its_cpu * 1e6 / done as f64,
        "per_batch": done as f64 / f64::from(batches),
        "commit_ms": queue.committing.get().as_secs_f64() * 1e3 / f64::from(batches),
        "refused": 0, "broken": 0,
    });
    println!("{figures}");
    if let Some(file) = args.text("json") {
        let to = std::fs::File::options().append(true).create(true).open(file);
        let mut to = to.map_err(|e| format!("{file}: {e}"))?;
        writeln!(to, "{figures}").map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(())
}

/// One caller.
async fn call(todo: Rc<RefCell<Vec<Vec<u8>>>>, queue: Rc<Queue>) -> Latencies {
    let mut latencies = Latencies::default();
    loop {
        let Some(challenge) = todo.borrow_mut().pop() else { return latencies };
        let (asked, answer) = oneshot::channel();
        let begun = Instant::now();
        queue.waiting.borrow_mut().push_back((challenge, asked));
        queue.come.notify_one();
        if answer.await.is_err() {
            // Its batch broke: the run is void.
            return latencies;
        }
        latencies.push(begun.elapsed());
    }
}
