//! A database of its own, and a way to it beside the store.

use crate::laws::common::noon;
use crate::store::{Store, columns::Param, postgres::Options, statement::Statement};
use testkit::postgres::Database;
use tokio_postgres::{
    Client, NoTls, Row,
    types::{ToSql, Type},
};

fn type_of(param: &Param<'_>) -> Type {
    match param {
        Param::Int(_) | Param::MaybeInt(_) => Type::INT8,
        Param::Bytes(_) | Param::MaybeBytes(_) => Type::BYTEA,
        Param::Text(_) | Param::MaybeText(_) => Type::TEXT,
    }
}

fn value_of(param: &Param<'_>) -> Box<dyn ToSql + Sync> {
    match *param {
        Param::Int(n) => Box::new(n),
        Param::MaybeInt(n) => Box::new(n),
        Param::Bytes(b) => Box::new(b.to_vec()),
        Param::MaybeBytes(b) => Box::new(b.map(<[u8]>::to_vec)),
        Param::Text(t) => Box::new(t.to_owned()),
        Param::MaybeText(t) => Box::new(t.map(str::to_owned)),
    }
}

pub(crate) struct Bench {
    database: Database,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { database: Database::create() }
    }

    pub(crate) fn options(&self) -> Options {
        Options::parse(&self.database.url(), None).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// Opens the store: one node more.
    pub(crate) async fn open(&mut self) -> Store {
        Store::open_postgres(self.options(), noon()).await.unwrap()
    }

    /// A connection beside the store's.
    pub(crate) async fn direct(&self) -> Client {
        let (client, wire) = tokio_postgres::connect(&self.database.url(), NoTls).await.unwrap();
        tokio::spawn(wire);
        client
    }

    async fn rows(&self, sql: &str) -> Vec<Row> {
        self.direct().await.query(sql, &[]).await.unwrap()
    }

    pub(crate) async fn edit(&self, sql: &str, params: &[Param<'_>]) -> u64 {
        let direct = self.direct().await;
        let types: Vec<Type> = params.iter().map(type_of).collect();
        let prepared = direct.prepare_typed(sql, &types).await.unwrap();
        let values: Vec<Box<dyn ToSql + Sync>> = params.iter().map(value_of).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| &**v).collect();
        direct.execute(&prepared, &values).await.unwrap()
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.rows(&format!("SELECT ({sql})::bigint")).await[0].get(0)
    }

    pub(crate) async fn bytes(&self, sql: &str) -> Vec<Vec<u8>> {
        self.rows(sql).await.iter().map(|row| row.get(0)).collect()
    }

    /// How many parameters a statement has, prepared.
    pub(crate) async fn parameters(&self, statement: &'static Statement) -> usize {
        let direct = self.direct().await;
        let mut types = vec![Type::UNKNOWN; 20];
        for _ in 0..20 {
            let error = match direct.prepare_typed(statement.sql, &types).await {
                Ok(prepared) => return prepared.params().len(),
                Err(e) => e.as_db_error().unwrap().message().to_owned(),
            };
            // The types come with the parameters; where the text alone does not say which, it is a number.
            let at = error.strip_prefix("could not determine data type of parameter $");
            let at: usize =
                at.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{}: {error}", statement.name));
            match types.get(at - 1) {
                Some(&Type::UNKNOWN) if statement.sql.contains(&format!("${at}")) => {
                    types[at - 1] = Type::INT8
                }
                _ => types.truncate(at - 1),
            }
        }
        panic!("{} is not prepared", statement.name)
    }

    /// All there is, as whoever steals it would find it.
    pub(crate) async fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let mut all = Vec::new();
        for table in self.rows(tables).await {
            let table: String = table.get(0);
            // A row in binary holds its values as they are stored.
            let values = format!("SELECT record_send({table}) FROM {table}");
            all.push((table.clone(), self.bytes(&values).await.concat()));
        }
        all
    }
}
