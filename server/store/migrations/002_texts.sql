-- Full text over documents. The text itself stays in `document` alone (external content); store/texts.c
-- writes both in one transaction. Rows are those of `document`, so a collection's are the range of
-- its partition.
CREATE VIRTUAL TABLE document_text USING fts5(
    text,
    content = 'document',
    content_rowid = 'num',
    tokenize = 'unicode61 remove_diacritics 2'
);

-- The documents that version 1 has.
INSERT INTO document_text (document_text) VALUES ('rebuild');
