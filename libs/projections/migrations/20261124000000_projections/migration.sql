-- What a database knows of the projections that write to it.
CREATE TABLE projection (
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    topic text NOT NULL,
    state text NOT NULL DEFAULT 'running',
    -- Progress of the last or running rebuild; see RebuildProgress.
    rebuild jsonb,
    rebuild_updated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT projection_pkey PRIMARY KEY (name),
    CONSTRAINT projection_state_check CHECK (state IN ('running', 'paused', 'rebuilding'))
);

-- One row per partition, updated with every batch: room on the page keeps the updates heap-only.
CREATE TABLE checkpoint (
    projection text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    -- Offset of the next record to apply.
    position bigint NOT NULL,
    -- Goes up with every claim; a batch that names an older one changes nothing.
    epoch bigint NOT NULL,
    claimed_by text,
    claimed_at timestamptz,
    -- Timestamp of the last record applied.
    record_at timestamptz,
    -- Why the partition stands still; see PartitionFailure.
    failure jsonb,

    CONSTRAINT checkpoint_pkey PRIMARY KEY (projection, partition),
    CONSTRAINT checkpoint_projection_fkey FOREIGN KEY (projection) REFERENCES projection (name) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 20);

-- The last version applied per user stands in a table per projection, `applied_version_<projection>`, made when it is
-- registered: so a rebuild can swap in a whole new set of versions together with the rows they belong to.
