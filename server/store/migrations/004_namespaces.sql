-- Namespaces (base/namespaces.h). The names of queues, collections and aliases are full ones:
-- NAMESPACE/NAME, and NAME alone in the default namespace, where all is that was there before.
ALTER TABLE token ADD COLUMN namespace TEXT NOT NULL DEFAULT '';

-- That of the queue, for indexes: a generated column would be computed by each update of a job.
-- '' is the default one.
ALTER TABLE job ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE job_removed ADD COLUMN namespace TEXT NOT NULL DEFAULT '';

-- Costs the jobs of the default namespace nothing.
CREATE INDEX job_by_namespace ON job (namespace, num) WHERE namespace <> '';

DROP INDEX job_dedupe;
CREATE UNIQUE INDEX job_dedupe ON job (dedupe_key, namespace)
    WHERE state < 3 AND dedupe_key IS NOT NULL;
