-- How collections are indexed (vectors/index/settings.h).
ALTER TABLE collection ADD COLUMN quantization INTEGER NOT NULL DEFAULT 3;
ALTER TABLE collection ADD COLUMN index_m INTEGER NOT NULL DEFAULT 16;
ALTER TABLE collection ADD COLUMN ef_construction INTEGER NOT NULL DEFAULT 200;
ALTER TABLE collection ADD COLUMN ef_search INTEGER NOT NULL DEFAULT 64;
