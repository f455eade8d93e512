/** Every error code a caller of the registry can meet: its HTTP status, and what it means. README.md shows the same table. */
export const PROBLEMS = {
  ERR_BODY_MALFORMED: { status: 400, meaning: 'the body is not JSON' },
  ERR_REQUEST_INVALID: { status: 400, meaning: 'fields of body, query or path are wrong; `errors` names each' },
  ERR_CURSOR_INVALID: { status: 400, meaning: 'the cursor is of another list, filter or sort' },
  ERR_IF_MATCH_INVALID: { status: 400, meaning: 'If-Match is neither `*` nor entity tags' },
  ERR_IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    meaning: 'the Idempotency-Key is not 1 to 255 printable ASCII characters',
  },
  ERR_IMPORT_HEADER_INVALID: {
    status: 400,
    meaning: 'Import-Id is no UUIDv7, or Import-First-Line no positive number',
  },
  ERR_ROUTE_UNKNOWN: { status: 404, meaning: 'no such address' },
  ERR_USER_NOT_FOUND: { status: 404, meaning: 'no user of the tenant has the id' },
  ERR_REPUBLISH_NOT_FOUND: { status: 404, meaning: 'the relay was asked for no republish of this id' },
  ERR_METHOD_NOT_ALLOWED: { status: 405, meaning: 'the address does not know the method' },
  ERR_USER_NAME_TAKEN: { status: 409, meaning: 'another user has the userName' },
  ERR_USER_EMAIL_TAKEN: { status: 409, meaning: 'another user has one of the addresses' },
  ERR_USER_STATUS_CONFLICT: {
    status: 409,
    meaning: 'the status does not allow the act; the detail names the acts it allows',
  },
  ERR_USER_GRACE_ENDED: { status: 409, meaning: 'a restore came after the grace period' },
  ERR_IDEMPOTENCY_IN_PROGRESS: { status: 409, meaning: 'a request with the same key is still running' },
  ERR_USER_EVENTS_GONE: { status: 410, meaning: 'the outbox archive does not have all of these versions' },
  ERR_PRECONDITION_FAILED: { status: 412, meaning: 'the user is not at the version named by If-Match' },
  ERR_BODY_TOO_LARGE: { status: 413, meaning: 'the body has more than 1 MiB; an import has no such bound' },
  ERR_MEDIA_TYPE_UNSUPPORTED: { status: 415, meaning: 'the address does not read this Content-Type' },
  ERR_IDEMPOTENCY_KEY_REUSED: { status: 422, meaning: 'the key was used for another request' },
  ERR_INTERNAL: { status: 500, meaning: 'a fault of ours; report the correlationId' },
  ERR_USER_CONTENDED: { status: 503, meaning: 'others changed the user during every attempt' },
  ERR_SCHEMA_NOT_REGISTERED: { status: 503, meaning: 'the schema registry was not reachable since the start' },
  ERR_SUBSCRIBERS_UNKNOWN: {
    status: 503,
    meaning: 'the roll call is not read to its end yet: who subscribes is not known',
  },
  ERR_DEPENDENCY_UNAVAILABLE: { status: 503, meaning: 'the database does not answer' },
  ERR_STARTING: { status: 503, meaning: 'the database is not migrated yet' },
} as const satisfies Record<string, { status: number; meaning: string }>

/** Codes of single import lines; the request itself is answered 200. */
export const LINE_PROBLEMS = {
  ERR_LINE_TOO_LONG: 'the line has more than 131072 bytes',
  ERR_LINE_MALFORMED: 'the line is not JSON in UTF-8',
  ERR_USER_INVALID: 'the document is not a user; `pointer` says where',
  ERR_USER_NAME_TAKEN: 'another user, or a line before, has the userName',
  ERR_USER_EMAIL_TAKEN: 'another user, or a line before, has one of the addresses',
  ERR_IMPORT_LINE_CHANGED: 'the same Import-Id made a user from other content in this line',
} as const satisfies Record<string, string>
