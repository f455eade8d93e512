-- Messages to bring to their topic once more; the leading relay works them off beside its live traffic.
CREATE TABLE republish (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Either one aggregate, or everything written since.
  aggregate_id uuid,
  since        timestamptz,
  reason       text        NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Set when the relay begins: what was shipped by then, and the ids it lies between.
  snap         pg_snapshot,
  up_to_id     bigint,
  started_at   timestamptz,
  last_id      bigint      NOT NULL DEFAULT 0,
  sent         bigint      NOT NULL DEFAULT 0,
  finished_at  timestamptz,
  CHECK ((aggregate_id IS NULL) <> (since IS NULL))
);
CREATE INDEX republish_open_idx ON republish (id) WHERE finished_at IS NULL;
