-- Counts what others than a partition's owner do to its parked users. The owner's compare-and-set names it, so that the
-- owner may keep in memory which users are parked.
ALTER TABLE checkpoint ADD COLUMN parking bigint NOT NULL DEFAULT 0;

-- Users of whom an event could not be applied: what comes after it waits in dead_letter.
CREATE TABLE parked_user (
    projection text COLLATE "C" NOT NULL,
    key uuid NOT NULL,
    partition integer NOT NULL,
    -- Array of PartitionFailure, the oldest first: why, and why each retry since failed.
    failures jsonb NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT parked_user_pkey PRIMARY KEY (projection, key),
    CONSTRAINT parked_user_projection_fkey FOREIGN KEY (projection) REFERENCES projection (name) ON UPDATE CASCADE ON DELETE CASCADE
);

-- Records that were not applied, as they stand in the topic.
CREATE TABLE dead_letter (
    projection text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    -- The parked user; null when the record names none.
    key uuid,
    version bigint,
    event_id text,
    event_type text,
    record_at timestamptz NOT NULL,
    value bytea NOT NULL,
    -- Why, of a record that names no user.
    failure jsonb,
    parked_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT dead_letter_pkey PRIMARY KEY (projection, partition, "offset"),
    CONSTRAINT dead_letter_projection_fkey FOREIGN KEY (projection) REFERENCES projection (name) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE INDEX dead_letter_key ON dead_letter (projection, key, "offset");

-- What operators did to projections. Append-only by custom; ids, counts and reasons, never personal data.
CREATE TABLE operator_act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    projection text NOT NULL,
    act text NOT NULL,
    actor text NOT NULL,
    key uuid,
    reason text,
    facts jsonb NOT NULL DEFAULT '{}'
);
