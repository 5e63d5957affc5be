-- The inventory, schema 1. Times are seconds since 1970 in UTC; NULL is "has not happened" or
-- "never". Columns are facts: what is so is derived from them (policies/facts.h), never stored.
-- AUTOINCREMENT: an id that people or sealed keys know is never given to another row.
-- SQLite alone: STRICT, WITHOUT ROWID, AUTOINCREMENT, GLOB, the bodies of the triggers.

CREATE TABLE named_values (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL UNIQUE
        CONSTRAINT certificate_name_has_only_letters_digits_dot_dash_underscore
        CHECK (name <> '' AND name NOT GLOB '*[^A-Za-z0-9._-]*'),
    policy          TEXT NOT NULL,
    added_at        INTEGER NOT NULL,
    retired_at      INTEGER,
    next_at         INTEGER,
    next_action     TEXT NOT NULL,
    next_target     INTEGER REFERENCES targets (id),
    deadline        INTEGER, -- what is due is done in this order
    urgency         INTEGER NOT NULL DEFAULT 9223372036854775807, -- the deadline once it is due
    ends_at         INTEGER, -- of what is in service, as of the plan; as is the next
    state           TEXT NOT NULL DEFAULT 'new',
    ladder_told     INTEGER NOT NULL DEFAULT 0,
    expired_told_at INTEGER
) STRICT;

-- What is due next, for each of the two lanes: the first entry is the answer. What is due comes by
-- its deadline, before all that waits for its time. For a retired certificate
-- only its keys are left to erase.
CREATE INDEX certificates_due_deploy ON certificates (urgency, next_at)
    WHERE next_action = 'deploy' AND retired_at IS NULL AND next_at IS NOT NULL;
CREATE INDEX certificates_due_other ON certificates (urgency, next_at)
    WHERE next_action <> 'deploy' AND (retired_at IS NULL OR next_action = 'erase keys')
    AND next_at IS NOT NULL;

-- For lists. State and end are looked at again when the row is read: these only find it.
CREATE INDEX certificates_by_end ON certificates (ends_at, name) WHERE ends_at IS NOT NULL;
CREATE INDEX certificates_by_state ON certificates (state, name);
CREATE INDEX certificates_by_policy ON certificates (policy, name);

CREATE TABLE certificate_names (
    certificate_id INTEGER NOT NULL REFERENCES certificates (id),
    position       INTEGER NOT NULL,
    type           TEXT NOT NULL, -- name_type_text()
    name           TEXT NOT NULL,
    PRIMARY KEY (certificate_id, position)
) STRICT, WITHOUT ROWID;

-- A delivered key is looked for by the names of its certificate: those of every certificate begin
-- with one that it covers, as it is or by a wildcard for its first label. SQLite alone: instr.
CREATE INDEX certificate_names_first ON certificate_names (name) WHERE position = 0;
CREATE INDEX certificate_names_parent
    ON certificate_names (substr(name, instr(name, '.') + 1)) WHERE position = 0;

CREATE TABLE renewals (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    certificate_id  INTEGER NOT NULL REFERENCES certificates (id),
    reason          TEXT NOT NULL,
    asked_by        TEXT, -- who asked for it on purpose; NULL: it was due
    created_at      INTEGER NOT NULL,
    key_sealed      BLOB,
    spki_sha256     BLOB CHECK (length(spki_sha256) = 32),
    csr             BLOB,
    requested_at    INTEGER,
    handed_over_at  INTEGER,
    leaf            BLOB,
    leaf_sha256     BLOB CHECK (length(leaf_sha256) = 32),
    not_before      INTEGER,
    not_after       INTEGER,
    received_at     INTEGER,
    accepted_at     INTEGER,
    rejected_at     INTEGER,
    rejected_reason TEXT,
    chain_told_at   INTEGER,
    reminded_at     INTEGER,
    superseded_at   INTEGER,
    withdrawn_at    INTEGER,
    failed_at       INTEGER,
    failures        INTEGER NOT NULL DEFAULT 0,
    failed_reason   TEXT,
    chain_not_after INTEGER, -- the first end among leaf and chain
    rechain_of      INTEGER REFERENCES renewals (id), -- whose leaf this is, under another chain
    rechain_at      INTEGER, -- a chain that lives longer was last looked for in vain; 0: again at once
    fetched_at      INTEGER, -- what is missing was last asked for at the authority's URL
    fetches         INTEGER NOT NULL DEFAULT 0,
    key_erased_at   INTEGER, -- it had a key, which was out of use
    CONSTRAINT sealed_key_names_its_public_half
        CHECK (key_sealed IS NULL OR spki_sha256 IS NOT NULL),
    CONSTRAINT accepted_renewal_has_a_leaf
        CHECK (accepted_at IS NULL OR leaf IS NOT NULL)
) STRICT;

CREATE INDEX renewals_by_certificate ON renewals (certificate_id);
CREATE INDEX renewals_by_spki ON renewals (spki_sha256) WHERE spki_sha256 IS NOT NULL;
CREATE INDEX renewals_open ON renewals (certificate_id)
    WHERE accepted_at IS NULL AND superseded_at IS NULL AND withdrawn_at IS NULL;
-- A leaf without an end has not_after NULL and must sort last, not first.
CREATE INDEX renewals_accepted
    ON renewals (certificate_id, accepted_at, coalesce(not_after, 9223372036854775807))
    WHERE accepted_at IS NOT NULL;
CREATE INDEX renewals_waiting_chain ON renewals (id)
    WHERE received_at IS NOT NULL AND accepted_at IS NULL AND withdrawn_at IS NULL
    AND (superseded_at IS NULL OR rejected_at IS NULL);
-- By the sealing key, whose id stands at the head of what was sealed (pki/seal.h).
CREATE INDEX renewals_by_sealing_key ON renewals (substr(key_sealed, 2, 8))
    WHERE key_sealed IS NOT NULL;
CREATE INDEX renewals_keys ON renewals (certificate_id, spki_sha256)
    WHERE key_sealed IS NOT NULL;
CREATE INDEX renewals_rechain ON renewals (rechain_at) WHERE rechain_at IS NOT NULL;

CREATE TABLE renewal_names (
    renewal_id INTEGER NOT NULL REFERENCES renewals (id),
    position   INTEGER NOT NULL,
    type       TEXT NOT NULL, -- name_type_text()
    name       TEXT NOT NULL,
    PRIMARY KEY (renewal_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE renewal_chain (
    id         INTEGER PRIMARY KEY,
    renewal_id INTEGER NOT NULL REFERENCES renewals (id),
    position   INTEGER NOT NULL, -- 0: the leaf's issuer
    der        BLOB NOT NULL,
    UNIQUE (renewal_id, position)
) STRICT;

CREATE TABLE authorities (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256         BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    subject_sha256 BLOB NOT NULL CHECK (length(subject_sha256) = 32),
    issuer_sha256  BLOB NOT NULL CHECK (length(issuer_sha256) = 32),
    subject        TEXT NOT NULL,
    not_before     INTEGER,
    not_after      INTEGER,
    seen_at        INTEGER NOT NULL, -- last
    anchored_at    INTEGER,          -- proved to lead to an anchor, when last looked at
    anchor_sha256  BLOB CHECK (length(anchor_sha256) = 32),
    used_at        INTEGER,          -- last accepted in a chain
    der            BLOB NOT NULL
) STRICT;

-- Read backward: what is anchored first, then what ends last.
CREATE INDEX authorities_by_subject ON authorities
    (subject_sha256, anchored_at IS NOT NULL, coalesce(not_after, 9223372036854775807));
CREATE INDEX authorities_by_anchor ON authorities (anchor_sha256)
    WHERE anchor_sha256 IS NOT NULL;
-- Strangers (anchored_at IS NULL): what their bounds need, which are looked at for each new one and
-- must not read the rows; and whose proof may depend on another's.
CREATE INDEX authorities_strange ON authorities (anchored_at, seen_at);
CREATE INDEX authorities_strange_by_subject ON authorities (subject_sha256, anchored_at, seen_at);
CREATE INDEX authorities_strange_by_issuer ON authorities (issuer_sha256, anchored_at, seen_at);
CREATE INDEX authorities_ended ON authorities (not_after)
    WHERE used_at IS NULL AND not_after IS NOT NULL;

-- Trust anchors that an administrator added to the system's store; removed ones are kept.
CREATE TABLE anchors (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
    der        BLOB NOT NULL,
    subject    TEXT NOT NULL,
    not_after  INTEGER,
    added_at   INTEGER NOT NULL,
    added_by   TEXT NOT NULL,
    comment    TEXT,
    removed_at INTEGER,
    removed_by TEXT
) STRICT;

CREATE UNIQUE INDEX anchors_in_force ON anchors (sha256) WHERE removed_at IS NULL;
CREATE INDEX anchors_in_order ON anchors (id) WHERE removed_at IS NULL;
CREATE INDEX anchors_removed ON anchors (subject, removed_at) WHERE removed_at IS NOT NULL;

-- URLs that certificates name and that were asked lately: none is asked for ever.
CREATE TABLE fetches (
    url      TEXT NOT NULL PRIMARY KEY,
    began_at INTEGER NOT NULL, -- of the day whose tries are counted
    tried_at INTEGER NOT NULL,
    tries    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX fetches_by_beginning ON fetches (began_at);

CREATE TABLE targets (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    certificate_id INTEGER NOT NULL REFERENCES certificates (id),
    service        TEXT NOT NULL,
    added_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX targets_by_certificate ON targets (certificate_id);

CREATE TABLE target_files (
    target_id   INTEGER NOT NULL REFERENCES targets (id),
    part        TEXT NOT NULL, -- bundle_part_text()
    path        TEXT NOT NULL,
    released_at INTEGER, -- its certificate was retired
    PRIMARY KEY (target_id, part)
) STRICT, WITHOUT ROWID;

-- Two targets that write one file would undo each other for ever.
CREATE UNIQUE INDEX target_files_have_one_writer ON target_files (path) WHERE released_at IS NULL;

CREATE TABLE endpoints (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    target_id   INTEGER NOT NULL REFERENCES targets (id),
    host        TEXT NOT NULL,
    port        INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    server_name TEXT
) STRICT;

CREATE INDEX endpoints_by_target ON endpoints (target_id);

CREATE TABLE deployments (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    renewal_id      INTEGER NOT NULL REFERENCES renewals (id),
    target_id       INTEGER NOT NULL REFERENCES targets (id),
    scheduled_at    INTEGER NOT NULL,
    staged_at       INTEGER,
    swap_begun_at   INTEGER,
    swapped_at      INTEGER,
    reloaded_at     INTEGER,
    verified_at     INTEGER,
    cleaned_at      INTEGER,
    undo_begun_at   INTEGER,
    failed_at       INTEGER,
    failures        INTEGER NOT NULL DEFAULT 0,
    reason          TEXT,
    report          TEXT,
    previous_sha256 BLOB CHECK (length(previous_sha256) = 32),
    UNIQUE (renewal_id, target_id)
) STRICT;

CREATE INDEX deployments_verified ON deployments (target_id)
    WHERE verified_at IS NOT NULL;

CREATE INDEX deployments_broken_off ON deployments (target_id)
    WHERE swap_begun_at IS NOT NULL AND verified_at IS NULL;

-- File names are any bytes: BLOB.
CREATE TABLE deliveries (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256          BLOB NOT NULL CHECK (length(sha256) = 32),
    name            BLOB NOT NULL,
    taken_at        INTEGER NOT NULL,
    accepted        INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    receipt         TEXT NOT NULL,
    receipt_written INTEGER NOT NULL DEFAULT 0 CHECK (receipt_written IN (0, 1)),
    secret          INTEGER NOT NULL DEFAULT 0 CHECK (secret IN (0, 1)), -- a private key is in it
    filed_name      BLOB,
    filed_at        INTEGER,
    renewal_id      INTEGER REFERENCES renewals (id)
) STRICT;

CREATE INDEX deliveries_by_sha256 ON deliveries (sha256);
-- Ten thousand copies of one file have one hash.
CREATE INDEX deliveries_unfiled_by_sha256 ON deliveries (sha256) WHERE filed_at IS NULL;
CREATE INDEX deliveries_by_renewal ON deliveries (renewal_id) WHERE renewal_id IS NOT NULL;
CREATE INDEX deliveries_unfiled ON deliveries (id) WHERE receipt_written = 0;

-- Leaves that came too early, or that something speaks against which may change.
CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256      BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    spki_sha256 BLOB NOT NULL CHECK (length(spki_sha256) = 32),
    why         TEXT NOT NULL, -- QUARANTINE_TABLE
    der         BLOB NOT NULL,
    not_after   INTEGER,
    seen_at     INTEGER NOT NULL,
    file        TEXT NOT NULL,
    delivery_id INTEGER REFERENCES deliveries (id)
) STRICT;

CREATE INDEX quarantine_by_spki ON quarantine (spki_sha256);
CREATE INDEX quarantine_by_end ON quarantine (not_after) WHERE not_after IS NOT NULL;
CREATE INDEX quarantine_by_why ON quarantine (why, id);
CREATE INDEX quarantine_unbound ON quarantine (id) WHERE delivery_id IS NULL;
CREATE INDEX quarantine_by_delivery ON quarantine (delivery_id) WHERE delivery_id IS NOT NULL;

-- Keys of ours that lay in the drop folder.
CREATE TABLE disclosed_keys (
    spki_sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(spki_sha256) = 32),
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    certificate_id INTEGER REFERENCES certificates (id),
    renewal_id     INTEGER REFERENCES renewals (id),
    kind           TEXT NOT NULL,
    stage          TEXT NOT NULL,
    recipient      TEXT NOT NULL,
    fields         TEXT NOT NULL, -- a JSON object of texts
    created_at     INTEGER NOT NULL,
    next_try_at    INTEGER,
    sent_at        INTEGER,
    bad_at         INTEGER,
    dropped_at     INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    last_error     TEXT
) STRICT;

-- Nothing is told twice. NULL is distinct from NULL in a UNIQUE column, hence coalesce.
CREATE UNIQUE INDEX notices_once
    ON notices (coalesce(certificate_id, 0), coalesce(renewal_id, 0), stage, recipient);
CREATE INDEX notices_by_certificate ON notices (coalesce(certificate_id, 0));
CREATE INDEX notices_general ON notices (kind, created_at, stage) WHERE certificate_id IS NULL;
CREATE INDEX notices_waiting ON notices (next_try_at)
    WHERE sent_at IS NULL AND bad_at IS NULL AND dropped_at IS NULL;

-- The audit trail. Ids have no gap; each hash is over all of its row and the hash before (trail.h).
CREATE TABLE events (
    id             INTEGER PRIMARY KEY,
    at             INTEGER NOT NULL,
    certificate_id INTEGER REFERENCES certificates (id),
    renewal_id     INTEGER REFERENCES renewals (id),
    actor          TEXT NOT NULL,
    kind           TEXT NOT NULL,
    text           TEXT NOT NULL,
    old_sha256     BLOB CHECK (length(old_sha256) = 32),
    new_sha256     BLOB CHECK (length(new_sha256) = 32),
    hash           BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX events_by_certificate ON events (certificate_id) WHERE certificate_id IS NOT NULL;

-- Both ends of the trail: the newest event, and the last one that was pruned (0: none), signed off.
CREATE TABLE trail (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    head_id     INTEGER NOT NULL,
    head_hash   BLOB NOT NULL CHECK (length(head_hash) = 32),
    pruned_id   INTEGER NOT NULL,
    pruned_hash BLOB NOT NULL CHECK (length(pruned_hash) = 32),
    pruned_at   INTEGER,
    pruned_by   TEXT,
    pruned_mac  BLOB CHECK (length(pruned_mac) = 32),
    CONSTRAINT pruned_events_are_signed_off
        CHECK (pruned_id = 0
               OR (pruned_at IS NOT NULL AND pruned_by IS NOT NULL AND pruned_mac IS NOT NULL)),
    CONSTRAINT pruned_events_are_past CHECK (pruned_id <= head_id)
) STRICT;

INSERT INTO trail (id, head_id, head_hash, pruned_id, pruned_hash)
    VALUES (1, 0, zeroblob(32), 0, zeroblob(32));

-- INSERT OR REPLACE would take an event away without a DELETE.
CREATE TRIGGER events_follow_the_newest BEFORE INSERT ON events
    WHEN NEW.id IS NOT (SELECT head_id + 1 FROM trail)
BEGIN
    SELECT raise(ABORT, 'an event follows the newest one');
END;

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN
    SELECT raise(ABORT, 'an event is never changed');
END;

CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
    WHEN OLD.id > (SELECT pruned_id FROM trail)
BEGIN
    SELECT raise(ABORT, 'an event is never removed before it was pruned');
END;

CREATE TRIGGER trail_only_grows BEFORE UPDATE ON trail
    WHEN NEW.head_id < OLD.head_id OR NEW.pruned_id < OLD.pruned_id
BEGIN
    SELECT raise(ABORT, 'the audit trail only grows');
END;

CREATE TRIGGER trail_is_not_removed BEFORE DELETE ON trail
BEGIN
    SELECT raise(ABORT, 'the audit trail is never removed');
END;
