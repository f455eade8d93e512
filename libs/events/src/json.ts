/** Any JSON value. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject

/** A JSON object; the type of the Avro logical type `json`. */
export type JsonObject = { readonly [key: string]: JsonValue }
