/** What became of one line. */
export interface ImportResult {
  readonly line: number
  /** `unchanged`: an earlier request with the same Import-Id made the user from the same content. */
  readonly status: 'created' | 'unchanged' | 'failed'
  readonly id?: string
  readonly version?: number
  readonly error?: ImportLineError
}

export interface ImportLineError {
  readonly code: string
  readonly detail: string
  /** JSON Pointer into the line. */
  readonly pointer?: string
}

/** The last line of the answer to an import that was read to its end. */
export interface ImportSummary {
  readonly summary: {
    readonly created: number
    readonly unchanged: number
    readonly failed: number
    /** The number a following part of the same import begins with. */
    readonly nextLine: number
  }
}

/** The last line of the answer to an import that had to stop: send again from `nextLine`. */
export interface ImportAborted {
  readonly aborted: { readonly code: string; readonly detail: string; readonly nextLine: number }
}
