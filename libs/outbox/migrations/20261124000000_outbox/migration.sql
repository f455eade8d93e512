-- Messages waiting for, or kept after, their way to Kafka. Append-only; whole partitions are dropped.
CREATE TABLE message (
  -- The transaction that wrote the row: the relay finds rows by "visible now, not visible then".
  -- First column, so that the transaction has its id before the row draws its own.
  xid          xid8        NOT NULL DEFAULT pg_current_xact_id(),
  -- Drawn while the writer holds its aggregate's row lock; CACHE 1, or two sessions would draw out of order.
  id           bigint      GENERATED ALWAYS AS IDENTITY (CACHE 1),
  -- From 1. No CHECK: Postgres would prepare its expression anew in every INSERT.
  version      bigint      NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  aggregate_id uuid        NOT NULL,
  topic        text        NOT NULL,
  -- Key, value and headers as they will stand in the log: encodeRecordBody of @rollcall/kafka.
  record       bytea       NOT NULL,
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE INDEX message_xid_idx ON message (xid);

-- The net below the partition maker: a write never fails for want of a partition.
CREATE TABLE message_default PARTITION OF message DEFAULT;
CREATE UNIQUE INDEX message_default_aggregate_version_key ON message_default (aggregate_id, version);

CREATE TABLE message_000000000000001 PARTITION OF message FOR VALUES FROM (1) TO (10000001);
CREATE UNIQUE INDEX message_000000000000001_aggregate_version_key ON message_000000000000001 (aggregate_id, version);

-- One row: how far the relay came, and who the relay is.
CREATE TABLE relay (
  only_row          boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
  -- Every row visible in this snapshot is in Kafka.
  snap              pg_snapshot NOT NULL,
  -- While a back-log is worked off: the frozen end of it, and the last id of it that is in Kafka.
  upper             pg_snapshot,
  last_id           bigint      NOT NULL DEFAULT 0,
  shipped           bigint      NOT NULL DEFAULT 0,
  epoch             bigint      NOT NULL DEFAULT 0,
  owner             text,
  heartbeat_at      timestamptz NOT NULL DEFAULT '-infinity',
  lease_ms          integer     NOT NULL DEFAULT 0,
  system_identifier bigint,
  -- topic -> partition count the keys were spread over.
  partition_counts  jsonb       NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- 1:1: = nothing is shipped yet.
INSERT INTO relay (snap) VALUES ('1:1:');
