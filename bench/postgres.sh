# A PostgreSQL of a measurement's own, for the scripts beside. It keeps what it commits, as a real one does, and shares the
# cores with whatever is measured.
#
#   postgres_start FOLDER   starts it below the folder and sets postgres_url, to which /DATABASE… belongs
#   postgres_database NAME  makes an empty database
#   postgres_drop NAME      takes it away
#   postgres_sql NAME       runs the statements on its standard input; more arguments are psql's
#   postgres_stop

postgres_as() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi
}

postgres_start() {
  postgres_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
  [ -n "$postgres_bin" ] || { echo "PostgreSQL is needed: apt-get install postgresql" >&2; return 1; }
  postgres_folder=$1/postgres
  mkdir -p "$postgres_folder"
  chmod 755 "$1" "$postgres_folder"
  [ "$(id -u)" != 0 ] || chown postgres "$postgres_folder"
  (
    cd "$postgres_folder"
    postgres_as "$postgres_bin/initdb" -D data -U countersign -A trust -E UTF8 --locale=C >initdb.log
    # Memory and checkpoints as for a small server of its own; fsync and synchronous_commit are on by default and named
    # here because everything rests on them.
    postgres_as tee -a data/postgresql.conf >tee.log <<'CONF'
listen_addresses = ''
max_connections = 100
shared_buffers = 1GB
max_wal_size = 8GB
checkpoint_timeout = 15min
wal_compression = lz4
fsync = on
synchronous_commit = on
log_min_messages = warning
CONF
    postgres_as "$postgres_bin/pg_ctl" -D data -w -t 60 -l server.log -o "-k $postgres_folder" start >start.log
  )
  postgres_pid=$(head -1 "$postgres_folder/data/postmaster.pid")
  postgres_url=postgres://countersign@${postgres_folder//\//%2F}
}

postgres_database() { postgres_sql postgres <<<"CREATE DATABASE $1"; }

postgres_drop() { postgres_sql postgres <<<"DROP DATABASE $1 WITH (FORCE)"; }

postgres_sql() {
  local database=$1
  shift
  psql -X -q -v ON_ERROR_STOP=1 -h "$postgres_folder" -U countersign -d "$database" "$@"
}

postgres_stop() {
  [ -n "${postgres_pid:-}" ] || return 0
  (cd "$postgres_folder" && postgres_as "$postgres_bin/pg_ctl" -D data -w -m immediate stop >stop.log) || true
  postgres_pid=''
}
