export { createDirectoryApp, type DirectoryAppOptions } from './directory-app.js'
export { directoryMigrations } from './directory-migrations.js'
export { PrismaClient } from './generated/client.js'
export { people } from './people/people-projection.js'
