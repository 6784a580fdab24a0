-- Other names of collections. A name is a collection's or an alias, never both.
CREATE TABLE collection_alias (
    name TEXT NOT NULL PRIMARY KEY,
    uid TEXT NOT NULL               -- of the collection
) WITHOUT ROWID;
CREATE INDEX collection_alias_by_uid ON collection_alias (uid);
