-- What was done or refused, by whom, to what. Append-only.
CREATE TABLE entry (
  id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The transaction that wrote the row, for readers that take what is new (as the outbox relay does).
  xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
  at             timestamptz NOT NULL DEFAULT clock_timestamp(),
  tenant_id      text        NOT NULL,
  actor          jsonb       NOT NULL,
  action         text        NOT NULL,
  target_type    text        NOT NULL,
  target_id      text        NOT NULL,
  target_version bigint,
  correlation_id text        NOT NULL,
  outcome        text        NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
  before         jsonb,
  after          jsonb
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
