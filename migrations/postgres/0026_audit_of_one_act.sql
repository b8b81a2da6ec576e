-- One act of one person: without this, a filter by both walks every line of the one or of the other.
CREATE INDEX audit_actor_action ON audit (actor, action, id);
