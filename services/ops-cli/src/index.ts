export { type CliIo, type ExitCode, runCli } from './cli.js'
export { type FakeUser, fakeUsers } from './fake-users.js'
