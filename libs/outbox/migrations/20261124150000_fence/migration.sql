-- Who the relay is to the brokers: they refuse what bears a lower epoch of the same producer id. Raised at each take-over
-- and after each send that failed, by the statement that proves the lead.
ALTER TABLE relay ADD COLUMN producer_id bigint;
ALTER TABLE relay ADD COLUMN producer_epoch integer NOT NULL DEFAULT 0;
-- Producer ids and offsets mean something in this cluster only.
ALTER TABLE relay ADD COLUMN kafka_cluster text;
-- topic -> next offset of each partition: all before it is accounted for by the position of this row. What stands at or
-- after it when a term begins was sent by an earlier term that could not store its position.
ALTER TABLE relay ADD COLUMN offsets jsonb NOT NULL DEFAULT '{}';
-- The history the position belongs to: a restored or promoted server begins a new one.
ALTER TABLE relay ADD COLUMN timeline integer;
