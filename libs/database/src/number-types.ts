import { RollcallError } from '@rollcall/errors'
import pg from 'pg'

const INT8 = 20

/** pg's type parsers, with `int8` as a number: versions, offsets and counts are numbers everywhere in Rollcall. */
export const numberTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? parseInt8
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) {
    throw new RollcallError({
      code: 'ERR_DATABASE_NUMBER_UNSAFE',
      message: `The int8 value ${text} does not fit a JavaScript number; select it as text (column::text).`,
      facts: { value: text },
    })
  }
  return value
}
