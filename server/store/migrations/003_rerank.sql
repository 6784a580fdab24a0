-- Where a collection's embeddings are while it is open (vectors/index/settings.h).
ALTER TABLE collection ADD COLUMN rerank INTEGER NOT NULL DEFAULT 1;
