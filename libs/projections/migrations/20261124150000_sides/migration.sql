-- A projection has sides: the live one, the next one while it is rebuilt, and the one before the last cut-over. Each is a
-- row here (`people`, `people~next`, `people~prev`) with checkpoints, versions, parked users and tables of its own.
ALTER TABLE projection
    -- Array of { schema, name }: the tables of the read model, with the schema they live in while the side is live.
    ADD COLUMN tables jsonb,
    -- When a side that is not live is dropped.
    ADD COLUMN expires_at timestamptz;

-- Asks the owner to go no further than an offset for a while, so that two sides can be seen at the same position.
ALTER TABLE checkpoint
    ADD COLUMN halt_at bigint,
    ADD COLUMN halt_until timestamptz;
