/** One thing that every implementation of a port must do; rejects when it does not. */
export interface Rule<Subject> {
  readonly name: string
  check(subject: Subject): Promise<void>
}
