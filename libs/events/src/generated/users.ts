// Generated from schemas/ by `npm run generate -w libs/events`. Do not edit.

import type { AvroRecord } from '../avro-schema.js'
import type { JsonObject } from '../json.js'

/** The principal that made the change. */
export type Actor = {
  /** What kind of principal it is. */
  readonly type: ActorType
  /** Its identifier: a user id, a service name, or a job name. */
  readonly id: string
}

/** What kind of principal acted. A reader that meets a kind it does not know reads system. */
export type ActorType = 'user' | 'service' | 'system'

/** One e-mail address of a user. */
export type Email = {
  /** The address as the user wrote it; compared without case. */
  readonly value: string
  /** What the address is for, such as work or home. */
  readonly type: string | null
  /** True for the address to use first; at most one per user. */
  readonly primary: boolean
}

/** The name of a person, in parts. */
export type PersonName = {
  /** Given name; null for a person who has none. */
  readonly given: string | null
  /** Family name; null for a person who has none. */
  readonly family: string | null
  /** The name to show, when it is not made of the parts. */
  readonly display: string | null
}

/** The whole state of a user after the change. */
export type User = {
  /** Identifier of the user, a UUIDv7; never reused. */
  readonly id: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** Login name; unique in the tenant, compared without case. */
  readonly userName: string
  /** E-mail addresses; each unique in the tenant, compared without case. */
  readonly emails: readonly Email[]
  /** Name of the person; null when it is not known. */
  readonly name: PersonName | null
  /** Telephone number, E.164 where possible. */
  readonly phone: string | null
  /** Preferred language, a BCP 47 tag. */
  readonly locale: string | null
  /** Time zone, an IANA name. */
  readonly timezone: string | null
  /** Attributes the tenant added: the text of one JSON object. */
  readonly attributes: JsonObject
  /** Where the user stands. */
  readonly status: UserStatus
  /** Version of the user, from 1 without a gap; equals the version of the event. */
  readonly version: number
  /** When the user was created. */
  readonly createdAt: Date
  /** When the user last changed. */
  readonly updatedAt: Date
  /** When the user was deleted; null while it is not. */
  readonly deletedAt: Date | null
  /** When a deleted user can no longer be restored; null while it is not deleted. */
  readonly purgeAt: Date | null
}

/** A user was created. Always version 1. */
export type UserCreated = {
  /** Identifier of this event, a UUIDv7. */
  readonly eventId: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** The user that changed; also the key of the Kafka record. */
  readonly userId: string
  /** Version of the user after the change: 1 at creation, one more at each change, without a gap. */
  readonly version: number
  /** When the change was made. */
  readonly occurredAt: Date
  /** Who made the change. */
  readonly actor: Actor
  /** Names the request that led to the change, across services. */
  readonly correlationId: string
  /** The event or command that caused this one; null for a request from outside. */
  readonly causationId: string | null
  /** Names of the attributes that changed, never their values. */
  readonly changed: readonly string[]
  /** The whole state of the user after the change. */
  readonly user: User
}

/** A user was deleted. It can be restored until its purgeAt. */
export type UserDeleted = {
  /** Identifier of this event, a UUIDv7. */
  readonly eventId: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** The user that changed; also the key of the Kafka record. */
  readonly userId: string
  /** Version of the user after the change: 1 at creation, one more at each change, without a gap. */
  readonly version: number
  /** When the change was made. */
  readonly occurredAt: Date
  /** Who made the change. */
  readonly actor: Actor
  /** Names the request that led to the change, across services. */
  readonly correlationId: string
  /** The event or command that caused this one; null for a request from outside. */
  readonly causationId: string | null
  /** Names of the attributes that changed, never their values. */
  readonly changed: readonly string[]
  /** The whole state of the user after the change. */
  readonly user: User
}

/** A suspended user was made active again. */
export type UserReactivated = {
  /** Identifier of this event, a UUIDv7. */
  readonly eventId: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** The user that changed; also the key of the Kafka record. */
  readonly userId: string
  /** Version of the user after the change: 1 at creation, one more at each change, without a gap. */
  readonly version: number
  /** When the change was made. */
  readonly occurredAt: Date
  /** Who made the change. */
  readonly actor: Actor
  /** Names the request that led to the change, across services. */
  readonly correlationId: string
  /** The event or command that caused this one; null for a request from outside. */
  readonly causationId: string | null
  /** Names of the attributes that changed, never their values. */
  readonly changed: readonly string[]
  /** The whole state of the user after the change. */
  readonly user: User
}

/** A deleted user was restored. */
export type UserRestored = {
  /** Identifier of this event, a UUIDv7. */
  readonly eventId: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** The user that changed; also the key of the Kafka record. */
  readonly userId: string
  /** Version of the user after the change: 1 at creation, one more at each change, without a gap. */
  readonly version: number
  /** When the change was made. */
  readonly occurredAt: Date
  /** Who made the change. */
  readonly actor: Actor
  /** Names the request that led to the change, across services. */
  readonly correlationId: string
  /** The event or command that caused this one; null for a request from outside. */
  readonly causationId: string | null
  /** Names of the attributes that changed, never their values. */
  readonly changed: readonly string[]
  /** The whole state of the user after the change. */
  readonly user: User
}

/** Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading. */
export type UserStatus = 'active' | 'suspended' | 'deleted'

/** A user was suspended: it keeps its data and loses its access. */
export type UserSuspended = {
  /** Identifier of this event, a UUIDv7. */
  readonly eventId: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** The user that changed; also the key of the Kafka record. */
  readonly userId: string
  /** Version of the user after the change: 1 at creation, one more at each change, without a gap. */
  readonly version: number
  /** When the change was made. */
  readonly occurredAt: Date
  /** Who made the change. */
  readonly actor: Actor
  /** Names the request that led to the change, across services. */
  readonly correlationId: string
  /** The event or command that caused this one; null for a request from outside. */
  readonly causationId: string | null
  /** Names of the attributes that changed, never their values. */
  readonly changed: readonly string[]
  /** The whole state of the user after the change. */
  readonly user: User
}

/** Attributes of a user changed. */
export type UserUpdated = {
  /** Identifier of this event, a UUIDv7. */
  readonly eventId: string
  /** The tenant the user belongs to. */
  readonly tenantId: string
  /** The user that changed; also the key of the Kafka record. */
  readonly userId: string
  /** Version of the user after the change: 1 at creation, one more at each change, without a gap. */
  readonly version: number
  /** When the change was made. */
  readonly occurredAt: Date
  /** Who made the change. */
  readonly actor: Actor
  /** Names the request that led to the change, across services. */
  readonly correlationId: string
  /** The event or command that caused this one; null for a request from outside. */
  readonly causationId: string | null
  /** Names of the attributes that changed, never their values. */
  readonly changed: readonly string[]
  /** The whole state of the user after the change. */
  readonly user: User
}

/** Every event of users.lifecycle.v1. */
export type UserLifecycleEvent =
  | ({ readonly type: 'UserCreated' } & UserCreated)
  | ({ readonly type: 'UserUpdated' } & UserUpdated)
  | ({ readonly type: 'UserSuspended' } & UserSuspended)
  | ({ readonly type: 'UserReactivated' } & UserReactivated)
  | ({ readonly type: 'UserDeleted' } & UserDeleted)
  | ({ readonly type: 'UserRestored' } & UserRestored)

/** The schemas of users.lifecycle.v1, each self-contained. */
export const userLifecycleSchemas: Readonly<Record<UserLifecycleEvent['type'], AvroRecord>> = {
  "UserCreated": {
    "type": "record",
    "name": "UserCreated",
    "namespace": "io.rollcall.users",
    "doc": "A user was created. Always version 1.",
    "rollcall.class": "pii",
    "fields": [
      {
        "name": "eventId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "Identifier of this event, a UUIDv7.",
        "rollcall.class": "none"
      },
      {
        "name": "tenantId",
        "type": "string",
        "doc": "The tenant the user belongs to.",
        "rollcall.class": "none"
      },
      {
        "name": "userId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "The user that changed; also the key of the Kafka record.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "version",
        "type": "long",
        "doc": "Version of the user after the change: 1 at creation, one more at each change, without a gap.",
        "rollcall.class": "none"
      },
      {
        "name": "occurredAt",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the change was made.",
        "rollcall.class": "none"
      },
      {
        "name": "actor",
        "type": {
          "type": "record",
          "name": "Actor",
          "namespace": "io.rollcall.users",
          "doc": "The principal that made the change.",
          "rollcall.class": "pseudonym",
          "fields": [
            {
              "name": "type",
              "type": {
                "type": "enum",
                "name": "ActorType",
                "namespace": "io.rollcall.users",
                "doc": "What kind of principal acted. A reader that meets a kind it does not know reads system.",
                "rollcall.class": "none",
                "symbols": [
                  "user",
                  "service",
                  "system"
                ],
                "default": "system"
              },
              "doc": "What kind of principal it is.",
              "rollcall.class": "none"
            },
            {
              "name": "id",
              "type": "string",
              "doc": "Its identifier: a user id, a service name, or a job name.",
              "rollcall.class": "pseudonym"
            }
          ]
        },
        "doc": "Who made the change.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "correlationId",
        "type": "string",
        "doc": "Names the request that led to the change, across services.",
        "rollcall.class": "none"
      },
      {
        "name": "causationId",
        "type": [
          "null",
          "string"
        ],
        "doc": "The event or command that caused this one; null for a request from outside.",
        "default": null,
        "rollcall.class": "none"
      },
      {
        "name": "changed",
        "type": {
          "type": "array",
          "items": "string"
        },
        "doc": "Names of the attributes that changed, never their values.",
        "default": [],
        "rollcall.class": "none"
      },
      {
        "name": "user",
        "type": {
          "type": "record",
          "name": "User",
          "namespace": "io.rollcall.users",
          "doc": "The whole state of a user after the change.",
          "rollcall.class": "pii",
          "fields": [
            {
              "name": "id",
              "type": {
                "type": "string",
                "logicalType": "uuid"
              },
              "doc": "Identifier of the user, a UUIDv7; never reused.",
              "rollcall.class": "pseudonym"
            },
            {
              "name": "tenantId",
              "type": "string",
              "doc": "The tenant the user belongs to.",
              "rollcall.class": "none"
            },
            {
              "name": "userName",
              "type": "string",
              "doc": "Login name; unique in the tenant, compared without case.",
              "rollcall.class": "pii"
            },
            {
              "name": "emails",
              "type": {
                "type": "array",
                "items": {
                  "type": "record",
                  "name": "Email",
                  "namespace": "io.rollcall.users",
                  "doc": "One e-mail address of a user.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "value",
                      "type": "string",
                      "doc": "The address as the user wrote it; compared without case.",
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "type",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "What the address is for, such as work or home.",
                      "default": null,
                      "rollcall.class": "none"
                    },
                    {
                      "name": "primary",
                      "type": "boolean",
                      "doc": "True for the address to use first; at most one per user.",
                      "rollcall.class": "none"
                    }
                  ]
                }
              },
              "doc": "E-mail addresses; each unique in the tenant, compared without case.",
              "default": [],
              "rollcall.class": "pii"
            },
            {
              "name": "name",
              "type": [
                "null",
                {
                  "type": "record",
                  "name": "PersonName",
                  "namespace": "io.rollcall.users",
                  "doc": "The name of a person, in parts.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "given",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Given name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "family",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Family name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "display",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "The name to show, when it is not made of the parts.",
                      "default": null,
                      "rollcall.class": "pii"
                    }
                  ]
                }
              ],
              "doc": "Name of the person; null when it is not known.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "phone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Telephone number, E.164 where possible.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "locale",
              "type": [
                "null",
                "string"
              ],
              "doc": "Preferred language, a BCP 47 tag.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "timezone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Time zone, an IANA name.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "attributes",
              "type": {
                "type": "string",
                "logicalType": "json"
              },
              "doc": "Attributes the tenant added: the text of one JSON object.",
              "default": "{}",
              "rollcall.class": "pii"
            },
            {
              "name": "status",
              "type": {
                "type": "enum",
                "name": "UserStatus",
                "namespace": "io.rollcall.users",
                "doc": "Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading.",
                "rollcall.class": "none",
                "symbols": [
                  "active",
                  "suspended",
                  "deleted"
                ],
                "default": "suspended"
              },
              "doc": "Where the user stands.",
              "rollcall.class": "none"
            },
            {
              "name": "version",
              "type": "long",
              "doc": "Version of the user, from 1 without a gap; equals the version of the event.",
              "rollcall.class": "none"
            },
            {
              "name": "createdAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user was created.",
              "rollcall.class": "none"
            },
            {
              "name": "updatedAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user last changed.",
              "rollcall.class": "none"
            },
            {
              "name": "deletedAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When the user was deleted; null while it is not.",
              "default": null,
              "rollcall.class": "none"
            },
            {
              "name": "purgeAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When a deleted user can no longer be restored; null while it is not deleted.",
              "default": null,
              "rollcall.class": "none"
            }
          ]
        },
        "doc": "The whole state of the user after the change.",
        "rollcall.class": "pii"
      }
    ]
  },
  "UserUpdated": {
    "type": "record",
    "name": "UserUpdated",
    "namespace": "io.rollcall.users",
    "doc": "Attributes of a user changed.",
    "rollcall.class": "pii",
    "fields": [
      {
        "name": "eventId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "Identifier of this event, a UUIDv7.",
        "rollcall.class": "none"
      },
      {
        "name": "tenantId",
        "type": "string",
        "doc": "The tenant the user belongs to.",
        "rollcall.class": "none"
      },
      {
        "name": "userId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "The user that changed; also the key of the Kafka record.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "version",
        "type": "long",
        "doc": "Version of the user after the change: 1 at creation, one more at each change, without a gap.",
        "rollcall.class": "none"
      },
      {
        "name": "occurredAt",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the change was made.",
        "rollcall.class": "none"
      },
      {
        "name": "actor",
        "type": {
          "type": "record",
          "name": "Actor",
          "namespace": "io.rollcall.users",
          "doc": "The principal that made the change.",
          "rollcall.class": "pseudonym",
          "fields": [
            {
              "name": "type",
              "type": {
                "type": "enum",
                "name": "ActorType",
                "namespace": "io.rollcall.users",
                "doc": "What kind of principal acted. A reader that meets a kind it does not know reads system.",
                "rollcall.class": "none",
                "symbols": [
                  "user",
                  "service",
                  "system"
                ],
                "default": "system"
              },
              "doc": "What kind of principal it is.",
              "rollcall.class": "none"
            },
            {
              "name": "id",
              "type": "string",
              "doc": "Its identifier: a user id, a service name, or a job name.",
              "rollcall.class": "pseudonym"
            }
          ]
        },
        "doc": "Who made the change.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "correlationId",
        "type": "string",
        "doc": "Names the request that led to the change, across services.",
        "rollcall.class": "none"
      },
      {
        "name": "causationId",
        "type": [
          "null",
          "string"
        ],
        "doc": "The event or command that caused this one; null for a request from outside.",
        "default": null,
        "rollcall.class": "none"
      },
      {
        "name": "changed",
        "type": {
          "type": "array",
          "items": "string"
        },
        "doc": "Names of the attributes that changed, never their values.",
        "default": [],
        "rollcall.class": "none"
      },
      {
        "name": "user",
        "type": {
          "type": "record",
          "name": "User",
          "namespace": "io.rollcall.users",
          "doc": "The whole state of a user after the change.",
          "rollcall.class": "pii",
          "fields": [
            {
              "name": "id",
              "type": {
                "type": "string",
                "logicalType": "uuid"
              },
              "doc": "Identifier of the user, a UUIDv7; never reused.",
              "rollcall.class": "pseudonym"
            },
            {
              "name": "tenantId",
              "type": "string",
              "doc": "The tenant the user belongs to.",
              "rollcall.class": "none"
            },
            {
              "name": "userName",
              "type": "string",
              "doc": "Login name; unique in the tenant, compared without case.",
              "rollcall.class": "pii"
            },
            {
              "name": "emails",
              "type": {
                "type": "array",
                "items": {
                  "type": "record",
                  "name": "Email",
                  "namespace": "io.rollcall.users",
                  "doc": "One e-mail address of a user.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "value",
                      "type": "string",
                      "doc": "The address as the user wrote it; compared without case.",
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "type",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "What the address is for, such as work or home.",
                      "default": null,
                      "rollcall.class": "none"
                    },
                    {
                      "name": "primary",
                      "type": "boolean",
                      "doc": "True for the address to use first; at most one per user.",
                      "rollcall.class": "none"
                    }
                  ]
                }
              },
              "doc": "E-mail addresses; each unique in the tenant, compared without case.",
              "default": [],
              "rollcall.class": "pii"
            },
            {
              "name": "name",
              "type": [
                "null",
                {
                  "type": "record",
                  "name": "PersonName",
                  "namespace": "io.rollcall.users",
                  "doc": "The name of a person, in parts.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "given",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Given name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "family",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Family name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "display",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "The name to show, when it is not made of the parts.",
                      "default": null,
                      "rollcall.class": "pii"
                    }
                  ]
                }
              ],
              "doc": "Name of the person; null when it is not known.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "phone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Telephone number, E.164 where possible.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "locale",
              "type": [
                "null",
                "string"
              ],
              "doc": "Preferred language, a BCP 47 tag.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "timezone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Time zone, an IANA name.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "attributes",
              "type": {
                "type": "string",
                "logicalType": "json"
              },
              "doc": "Attributes the tenant added: the text of one JSON object.",
              "default": "{}",
              "rollcall.class": "pii"
            },
            {
              "name": "status",
              "type": {
                "type": "enum",
                "name": "UserStatus",
                "namespace": "io.rollcall.users",
                "doc": "Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading.",
                "rollcall.class": "none",
                "symbols": [
                  "active",
                  "suspended",
                  "deleted"
                ],
                "default": "suspended"
              },
              "doc": "Where the user stands.",
              "rollcall.class": "none"
            },
            {
              "name": "version",
              "type": "long",
              "doc": "Version of the user, from 1 without a gap; equals the version of the event.",
              "rollcall.class": "none"
            },
            {
              "name": "createdAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user was created.",
              "rollcall.class": "none"
            },
            {
              "name": "updatedAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user last changed.",
              "rollcall.class": "none"
            },
            {
              "name": "deletedAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When the user was deleted; null while it is not.",
              "default": null,
              "rollcall.class": "none"
            },
            {
              "name": "purgeAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When a deleted user can no longer be restored; null while it is not deleted.",
              "default": null,
              "rollcall.class": "none"
            }
          ]
        },
        "doc": "The whole state of the user after the change.",
        "rollcall.class": "pii"
      }
    ]
  },
  "UserSuspended": {
    "type": "record",
    "name": "UserSuspended",
    "namespace": "io.rollcall.users",
    "doc": "A user was suspended: it keeps its data and loses its access.",
    "rollcall.class": "pii",
    "fields": [
      {
        "name": "eventId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "Identifier of this event, a UUIDv7.",
        "rollcall.class": "none"
      },
      {
        "name": "tenantId",
        "type": "string",
        "doc": "The tenant the user belongs to.",
        "rollcall.class": "none"
      },
      {
        "name": "userId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "The user that changed; also the key of the Kafka record.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "version",
        "type": "long",
        "doc": "Version of the user after the change: 1 at creation, one more at each change, without a gap.",
        "rollcall.class": "none"
      },
      {
        "name": "occurredAt",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the change was made.",
        "rollcall.class": "none"
      },
      {
        "name": "actor",
        "type": {
          "type": "record",
          "name": "Actor",
          "namespace": "io.rollcall.users",
          "doc": "The principal that made the change.",
          "rollcall.class": "pseudonym",
          "fields": [
            {
              "name": "type",
              "type": {
                "type": "enum",
                "name": "ActorType",
                "namespace": "io.rollcall.users",
                "doc": "What kind of principal acted. A reader that meets a kind it does not know reads system.",
                "rollcall.class": "none",
                "symbols": [
                  "user",
                  "service",
                  "system"
                ],
                "default": "system"
              },
              "doc": "What kind of principal it is.",
              "rollcall.class": "none"
            },
            {
              "name": "id",
              "type": "string",
              "doc": "Its identifier: a user id, a service name, or a job name.",
              "rollcall.class": "pseudonym"
            }
          ]
        },
        "doc": "Who made the change.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "correlationId",
        "type": "string",
        "doc": "Names the request that led to the change, across services.",
        "rollcall.class": "none"
      },
      {
        "name": "causationId",
        "type": [
          "null",
          "string"
        ],
        "doc": "The event or command that caused this one; null for a request from outside.",
        "default": null,
        "rollcall.class": "none"
      },
      {
        "name": "changed",
        "type": {
          "type": "array",
          "items": "string"
        },
        "doc": "Names of the attributes that changed, never their values.",
        "default": [],
        "rollcall.class": "none"
      },
      {
        "name": "user",
        "type": {
          "type": "record",
          "name": "User",
          "namespace": "io.rollcall.users",
          "doc": "The whole state of a user after the change.",
          "rollcall.class": "pii",
          "fields": [
            {
              "name": "id",
              "type": {
                "type": "string",
                "logicalType": "uuid"
              },
              "doc": "Identifier of the user, a UUIDv7; never reused.",
              "rollcall.class": "pseudonym"
            },
            {
              "name": "tenantId",
              "type": "string",
              "doc": "The tenant the user belongs to.",
              "rollcall.class": "none"
            },
            {
              "name": "userName",
              "type": "string",
              "doc": "Login name; unique in the tenant, compared without case.",
              "rollcall.class": "pii"
            },
            {
              "name": "emails",
              "type": {
                "type": "array",
                "items": {
                  "type": "record",
                  "name": "Email",
                  "namespace": "io.rollcall.users",
                  "doc": "One e-mail address of a user.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "value",
                      "type": "string",
                      "doc": "The address as the user wrote it; compared without case.",
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "type",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "What the address is for, such as work or home.",
                      "default": null,
                      "rollcall.class": "none"
                    },
                    {
                      "name": "primary",
                      "type": "boolean",
                      "doc": "True for the address to use first; at most one per user.",
                      "rollcall.class": "none"
                    }
                  ]
                }
              },
              "doc": "E-mail addresses; each unique in the tenant, compared without case.",
              "default": [],
              "rollcall.class": "pii"
            },
            {
              "name": "name",
              "type": [
                "null",
                {
                  "type": "record",
                  "name": "PersonName",
                  "namespace": "io.rollcall.users",
                  "doc": "The name of a person, in parts.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "given",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Given name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "family",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Family name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "display",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "The name to show, when it is not made of the parts.",
                      "default": null,
                      "rollcall.class": "pii"
                    }
                  ]
                }
              ],
              "doc": "Name of the person; null when it is not known.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "phone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Telephone number, E.164 where possible.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "locale",
              "type": [
                "null",
                "string"
              ],
              "doc": "Preferred language, a BCP 47 tag.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "timezone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Time zone, an IANA name.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "attributes",
              "type": {
                "type": "string",
                "logicalType": "json"
              },
              "doc": "Attributes the tenant added: the text of one JSON object.",
              "default": "{}",
              "rollcall.class": "pii"
            },
            {
              "name": "status",
              "type": {
                "type": "enum",
                "name": "UserStatus",
                "namespace": "io.rollcall.users",
                "doc": "Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading.",
                "rollcall.class": "none",
                "symbols": [
                  "active",
                  "suspended",
                  "deleted"
                ],
                "default": "suspended"
              },
              "doc": "Where the user stands.",
              "rollcall.class": "none"
            },
            {
              "name": "version",
              "type": "long",
              "doc": "Version of the user, from 1 without a gap; equals the version of the event.",
              "rollcall.class": "none"
            },
            {
              "name": "createdAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user was created.",
              "rollcall.class": "none"
            },
            {
              "name": "updatedAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user last changed.",
              "rollcall.class": "none"
            },
            {
              "name": "deletedAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When the user was deleted; null while it is not.",
              "default": null,
              "rollcall.class": "none"
            },
            {
              "name": "purgeAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When a deleted user can no longer be restored; null while it is not deleted.",
              "default": null,
              "rollcall.class": "none"
            }
          ]
        },
        "doc": "The whole state of the user after the change.",
        "rollcall.class": "pii"
      }
    ]
  },
  "UserReactivated": {
    "type": "record",
    "name": "UserReactivated",
    "namespace": "io.rollcall.users",
    "doc": "A suspended user was made active again.",
    "rollcall.class": "pii",
    "fields": [
      {
        "name": "eventId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "Identifier of this event, a UUIDv7.",
        "rollcall.class": "none"
      },
      {
        "name": "tenantId",
        "type": "string",
        "doc": "The tenant the user belongs to.",
        "rollcall.class": "none"
      },
      {
        "name": "userId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "The user that changed; also the key of the Kafka record.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "version",
        "type": "long",
        "doc": "Version of the user after the change: 1 at creation, one more at each change, without a gap.",
        "rollcall.class": "none"
      },
      {
        "name": "occurredAt",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the change was made.",
        "rollcall.class": "none"
      },
      {
        "name": "actor",
        "type": {
          "type": "record",
          "name": "Actor",
          "namespace": "io.rollcall.users",
          "doc": "The principal that made the change.",
          "rollcall.class": "pseudonym",
          "fields": [
            {
              "name": "type",
              "type": {
                "type": "enum",
                "name": "ActorType",
                "namespace": "io.rollcall.users",
                "doc": "What kind of principal acted. A reader that meets a kind it does not know reads system.",
                "rollcall.class": "none",
                "symbols": [
                  "user",
                  "service",
                  "system"
                ],
                "default": "system"
              },
              "doc": "What kind of principal it is.",
              "rollcall.class": "none"
            },
            {
              "name": "id",
              "type": "string",
              "doc": "Its identifier: a user id, a service name, or a job name.",
              "rollcall.class": "pseudonym"
            }
          ]
        },
        "doc": "Who made the change.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "correlationId",
        "type": "string",
        "doc": "Names the request that led to the change, across services.",
        "rollcall.class": "none"
      },
      {
        "name": "causationId",
        "type": [
          "null",
          "string"
        ],
        "doc": "The event or command that caused this one; null for a request from outside.",
        "default": null,
        "rollcall.class": "none"
      },
      {
        "name": "changed",
        "type": {
          "type": "array",
          "items": "string"
        },
        "doc": "Names of the attributes that changed, never their values.",
        "default": [],
        "rollcall.class": "none"
      },
      {
        "name": "user",
        "type": {
          "type": "record",
          "name": "User",
          "namespace": "io.rollcall.users",
          "doc": "The whole state of a user after the change.",
          "rollcall.class": "pii",
          "fields": [
            {
              "name": "id",
              "type": {
                "type": "string",
                "logicalType": "uuid"
              },
              "doc": "Identifier of the user, a UUIDv7; never reused.",
              "rollcall.class": "pseudonym"
            },
            {
              "name": "tenantId",
              "type": "string",
              "doc": "The tenant the user belongs to.",
              "rollcall.class": "none"
            },
            {
              "name": "userName",
              "type": "string",
              "doc": "Login name; unique in the tenant, compared without case.",
              "rollcall.class": "pii"
            },
            {
              "name": "emails",
              "type": {
                "type": "array",
                "items": {
                  "type": "record",
                  "name": "Email",
                  "namespace": "io.rollcall.users",
                  "doc": "One e-mail address of a user.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "value",
                      "type": "string",
                      "doc": "The address as the user wrote it; compared without case.",
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "type",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "What the address is for, such as work or home.",
                      "default": null,
                      "rollcall.class": "none"
                    },
                    {
                      "name": "primary",
                      "type": "boolean",
                      "doc": "True for the address to use first; at most one per user.",
                      "rollcall.class": "none"
                    }
                  ]
                }
              },
              "doc": "E-mail addresses; each unique in the tenant, compared without case.",
              "default": [],
              "rollcall.class": "pii"
            },
            {
              "name": "name",
              "type": [
                "null",
                {
                  "type": "record",
                  "name": "PersonName",
                  "namespace": "io.rollcall.users",
                  "doc": "The name of a person, in parts.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "given",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Given name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "family",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Family name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "display",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "The name to show, when it is not made of the parts.",
                      "default": null,
                      "rollcall.class": "pii"
                    }
                  ]
                }
              ],
              "doc": "Name of the person; null when it is not known.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "phone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Telephone number, E.164 where possible.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "locale",
              "type": [
                "null",
                "string"
              ],
              "doc": "Preferred language, a BCP 47 tag.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "timezone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Time zone, an IANA name.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "attributes",
              "type": {
                "type": "string",
                "logicalType": "json"
              },
              "doc": "Attributes the tenant added: the text of one JSON object.",
              "default": "{}",
              "rollcall.class": "pii"
            },
            {
              "name": "status",
              "type": {
                "type": "enum",
                "name": "UserStatus",
                "namespace": "io.rollcall.users",
                "doc": "Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading.",
                "rollcall.class": "none",
                "symbols": [
                  "active",
                  "suspended",
                  "deleted"
                ],
                "default": "suspended"
              },
              "doc": "Where the user stands.",
              "rollcall.class": "none"
            },
            {
              "name": "version",
              "type": "long",
              "doc": "Version of the user, from 1 without a gap; equals the version of the event.",
              "rollcall.class": "none"
            },
            {
              "name": "createdAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user was created.",
              "rollcall.class": "none"
            },
            {
              "name": "updatedAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user last changed.",
              "rollcall.class": "none"
            },
            {
              "name": "deletedAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When the user was deleted; null while it is not.",
              "default": null,
              "rollcall.class": "none"
            },
            {
              "name": "purgeAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When a deleted user can no longer be restored; null while it is not deleted.",
              "default": null,
              "rollcall.class": "none"
            }
          ]
        },
        "doc": "The whole state of the user after the change.",
        "rollcall.class": "pii"
      }
    ]
  },
  "UserDeleted": {
    "type": "record",
    "name": "UserDeleted",
    "namespace": "io.rollcall.users",
    "doc": "A user was deleted. It can be restored until its purgeAt.",
    "rollcall.class": "pii",
    "fields": [
      {
        "name": "eventId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "Identifier of this event, a UUIDv7.",
        "rollcall.class": "none"
      },
      {
        "name": "tenantId",
        "type": "string",
        "doc": "The tenant the user belongs to.",
        "rollcall.class": "none"
      },
      {
        "name": "userId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "The user that changed; also the key of the Kafka record.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "version",
        "type": "long",
        "doc": "Version of the user after the change: 1 at creation, one more at each change, without a gap.",
        "rollcall.class": "none"
      },
      {
        "name": "occurredAt",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the change was made.",
        "rollcall.class": "none"
      },
      {
        "name": "actor",
        "type": {
          "type": "record",
          "name": "Actor",
          "namespace": "io.rollcall.users",
          "doc": "The principal that made the change.",
          "rollcall.class": "pseudonym",
          "fields": [
            {
              "name": "type",
              "type": {
                "type": "enum",
                "name": "ActorType",
                "namespace": "io.rollcall.users",
                "doc": "What kind of principal acted. A reader that meets a kind it does not know reads system.",
                "rollcall.class": "none",
                "symbols": [
                  "user",
                  "service",
                  "system"
                ],
                "default": "system"
              },
              "doc": "What kind of principal it is.",
              "rollcall.class": "none"
            },
            {
              "name": "id",
              "type": "string",
              "doc": "Its identifier: a user id, a service name, or a job name.",
              "rollcall.class": "pseudonym"
            }
          ]
        },
        "doc": "Who made the change.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "correlationId",
        "type": "string",
        "doc": "Names the request that led to the change, across services.",
        "rollcall.class": "none"
      },
      {
        "name": "causationId",
        "type": [
          "null",
          "string"
        ],
        "doc": "The event or command that caused this one; null for a request from outside.",
        "default": null,
        "rollcall.class": "none"
      },
      {
        "name": "changed",
        "type": {
          "type": "array",
          "items": "string"
        },
        "doc": "Names of the attributes that changed, never their values.",
        "default": [],
        "rollcall.class": "none"
      },
      {
        "name": "user",
        "type": {
          "type": "record",
          "name": "User",
          "namespace": "io.rollcall.users",
          "doc": "The whole state of a user after the change.",
          "rollcall.class": "pii",
          "fields": [
            {
              "name": "id",
              "type": {
                "type": "string",
                "logicalType": "uuid"
              },
              "doc": "Identifier of the user, a UUIDv7; never reused.",
              "rollcall.class": "pseudonym"
            },
            {
              "name": "tenantId",
              "type": "string",
              "doc": "The tenant the user belongs to.",
              "rollcall.class": "none"
            },
            {
              "name": "userName",
              "type": "string",
              "doc": "Login name; unique in the tenant, compared without case.",
              "rollcall.class": "pii"
            },
            {
              "name": "emails",
              "type": {
                "type": "array",
                "items": {
                  "type": "record",
                  "name": "Email",
                  "namespace": "io.rollcall.users",
                  "doc": "One e-mail address of a user.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "value",
                      "type": "string",
                      "doc": "The address as the user wrote it; compared without case.",
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "type",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "What the address is for, such as work or home.",
                      "default": null,
                      "rollcall.class": "none"
                    },
                    {
                      "name": "primary",
                      "type": "boolean",
                      "doc": "True for the address to use first; at most one per user.",
                      "rollcall.class": "none"
                    }
                  ]
                }
              },
              "doc": "E-mail addresses; each unique in the tenant, compared without case.",
              "default": [],
              "rollcall.class": "pii"
            },
            {
              "name": "name",
              "type": [
                "null",
                {
                  "type": "record",
                  "name": "PersonName",
                  "namespace": "io.rollcall.users",
                  "doc": "The name of a person, in parts.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "given",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Given name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "family",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Family name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "display",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "The name to show, when it is not made of the parts.",
                      "default": null,
                      "rollcall.class": "pii"
                    }
                  ]
                }
              ],
              "doc": "Name of the person; null when it is not known.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "phone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Telephone number, E.164 where possible.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "locale",
              "type": [
                "null",
                "string"
              ],
              "doc": "Preferred language, a BCP 47 tag.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "timezone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Time zone, an IANA name.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "attributes",
              "type": {
                "type": "string",
                "logicalType": "json"
              },
              "doc": "Attributes the tenant added: the text of one JSON object.",
              "default": "{}",
              "rollcall.class": "pii"
            },
            {
              "name": "status",
              "type": {
                "type": "enum",
                "name": "UserStatus",
                "namespace": "io.rollcall.users",
                "doc": "Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading.",
                "rollcall.class": "none",
                "symbols": [
                  "active",
                  "suspended",
                  "deleted"
                ],
                "default": "suspended"
              },
              "doc": "Where the user stands.",
              "rollcall.class": "none"
            },
            {
              "name": "version",
              "type": "long",
              "doc": "Version of the user, from 1 without a gap; equals the version of the event.",
              "rollcall.class": "none"
            },
            {
              "name": "createdAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user was created.",
              "rollcall.class": "none"
            },
            {
              "name": "updatedAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user last changed.",
              "rollcall.class": "none"
            },
            {
              "name": "deletedAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When the user was deleted; null while it is not.",
              "default": null,
              "rollcall.class": "none"
            },
            {
              "name": "purgeAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When a deleted user can no longer be restored; null while it is not deleted.",
              "default": null,
              "rollcall.class": "none"
            }
          ]
        },
        "doc": "The whole state of the user after the change.",
        "rollcall.class": "pii"
      }
    ]
  },
  "UserRestored": {
    "type": "record",
    "name": "UserRestored",
    "namespace": "io.rollcall.users",
    "doc": "A deleted user was restored.",
    "rollcall.class": "pii",
    "fields": [
      {
        "name": "eventId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "Identifier of this event, a UUIDv7.",
        "rollcall.class": "none"
      },
      {
        "name": "tenantId",
        "type": "string",
        "doc": "The tenant the user belongs to.",
        "rollcall.class": "none"
      },
      {
        "name": "userId",
        "type": {
          "type": "string",
          "logicalType": "uuid"
        },
        "doc": "The user that changed; also the key of the Kafka record.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "version",
        "type": "long",
        "doc": "Version of the user after the change: 1 at creation, one more at each change, without a gap.",
        "rollcall.class": "none"
      },
      {
        "name": "occurredAt",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the change was made.",
        "rollcall.class": "none"
      },
      {
        "name": "actor",
        "type": {
          "type": "record",
          "name": "Actor",
          "namespace": "io.rollcall.users",
          "doc": "The principal that made the change.",
          "rollcall.class": "pseudonym",
          "fields": [
            {
              "name": "type",
              "type": {
                "type": "enum",
                "name": "ActorType",
                "namespace": "io.rollcall.users",
                "doc": "What kind of principal acted. A reader that meets a kind it does not know reads system.",
                "rollcall.class": "none",
                "symbols": [
                  "user",
                  "service",
                  "system"
                ],
                "default": "system"
              },
              "doc": "What kind of principal it is.",
              "rollcall.class": "none"
            },
            {
              "name": "id",
              "type": "string",
              "doc": "Its identifier: a user id, a service name, or a job name.",
              "rollcall.class": "pseudonym"
            }
          ]
        },
        "doc": "Who made the change.",
        "rollcall.class": "pseudonym"
      },
      {
        "name": "correlationId",
        "type": "string",
        "doc": "Names the request that led to the change, across services.",
        "rollcall.class": "none"
      },
      {
        "name": "causationId",
        "type": [
          "null",
          "string"
        ],
        "doc": "The event or command that caused this one; null for a request from outside.",
        "default": null,
        "rollcall.class": "none"
      },
      {
        "name": "changed",
        "type": {
          "type": "array",
          "items": "string"
        },
        "doc": "Names of the attributes that changed, never their values.",
        "default": [],
        "rollcall.class": "none"
      },
      {
        "name": "user",
        "type": {
          "type": "record",
          "name": "User",
          "namespace": "io.rollcall.users",
          "doc": "The whole state of a user after the change.",
          "rollcall.class": "pii",
          "fields": [
            {
              "name": "id",
              "type": {
                "type": "string",
                "logicalType": "uuid"
              },
              "doc": "Identifier of the user, a UUIDv7; never reused.",
              "rollcall.class": "pseudonym"
            },
            {
              "name": "tenantId",
              "type": "string",
              "doc": "The tenant the user belongs to.",
              "rollcall.class": "none"
            },
            {
              "name": "userName",
              "type": "string",
              "doc": "Login name; unique in the tenant, compared without case.",
              "rollcall.class": "pii"
            },
            {
              "name": "emails",
              "type": {
                "type": "array",
                "items": {
                  "type": "record",
                  "name": "Email",
                  "namespace": "io.rollcall.users",
                  "doc": "One e-mail address of a user.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "value",
                      "type": "string",
                      "doc": "The address as the user wrote it; compared without case.",
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "type",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "What the address is for, such as work or home.",
                      "default": null,
                      "rollcall.class": "none"
                    },
                    {
                      "name": "primary",
                      "type": "boolean",
                      "doc": "True for the address to use first; at most one per user.",
                      "rollcall.class": "none"
                    }
                  ]
                }
              },
              "doc": "E-mail addresses; each unique in the tenant, compared without case.",
              "default": [],
              "rollcall.class": "pii"
            },
            {
              "name": "name",
              "type": [
                "null",
                {
                  "type": "record",
                  "name": "PersonName",
                  "namespace": "io.rollcall.users",
                  "doc": "The name of a person, in parts.",
                  "rollcall.class": "pii",
                  "fields": [
                    {
                      "name": "given",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Given name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "family",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "Family name; null for a person who has none.",
                      "default": null,
                      "rollcall.class": "pii"
                    },
                    {
                      "name": "display",
                      "type": [
                        "null",
                        "string"
                      ],
                      "doc": "The name to show, when it is not made of the parts.",
                      "default": null,
                      "rollcall.class": "pii"
                    }
                  ]
                }
              ],
              "doc": "Name of the person; null when it is not known.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "phone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Telephone number, E.164 where possible.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "locale",
              "type": [
                "null",
                "string"
              ],
              "doc": "Preferred language, a BCP 47 tag.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "timezone",
              "type": [
                "null",
                "string"
              ],
              "doc": "Time zone, an IANA name.",
              "default": null,
              "rollcall.class": "pii"
            },
            {
              "name": "attributes",
              "type": {
                "type": "string",
                "logicalType": "json"
              },
              "doc": "Attributes the tenant added: the text of one JSON object.",
              "default": "{}",
              "rollcall.class": "pii"
            },
            {
              "name": "status",
              "type": {
                "type": "enum",
                "name": "UserStatus",
                "namespace": "io.rollcall.users",
                "doc": "Where a user stands. A reader that meets a status it does not know reads suspended: no access is the safe reading.",
                "rollcall.class": "none",
                "symbols": [
                  "active",
                  "suspended",
                  "deleted"
                ],
                "default": "suspended"
              },
              "doc": "Where the user stands.",
              "rollcall.class": "none"
            },
            {
              "name": "version",
              "type": "long",
              "doc": "Version of the user, from 1 without a gap; equals the version of the event.",
              "rollcall.class": "none"
            },
            {
              "name": "createdAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user was created.",
              "rollcall.class": "none"
            },
            {
              "name": "updatedAt",
              "type": {
                "type": "long",
                "logicalType": "timestamp-millis"
              },
              "doc": "When the user last changed.",
              "rollcall.class": "none"
            },
            {
              "name": "deletedAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When the user was deleted; null while it is not.",
              "default": null,
              "rollcall.class": "none"
            },
            {
              "name": "purgeAt",
              "type": [
                "null",
                {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                }
              ],
              "doc": "When a deleted user can no longer be restored; null while it is not deleted.",
              "default": null,
              "rollcall.class": "none"
            }
          ]
        },
        "doc": "The whole state of the user after the change.",
        "rollcall.class": "pii"
      }
    ]
  }
}
