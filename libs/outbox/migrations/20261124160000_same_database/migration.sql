-- A database copied from a template, or dumped and restored, has another oid in a cluster of the same identifier.
ALTER TABLE relay ADD COLUMN database_oid oid;
-- Whoever re-anchored the relay knows that its topics hold records of another life.
ALTER TABLE relay ADD COLUMN adopts_topics boolean NOT NULL DEFAULT false;
-- Says nothing that the topics do not say better: they show whether commits were lost.
ALTER TABLE relay DROP COLUMN timeline;
