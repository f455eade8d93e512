export {
  type EventOverrides,
  type EventStart,
  history,
  userCreated,
  userDeleted,
  userReactivated,
  userRestored,
  userSuspended,
  userUpdated,
} from './user-events.js'
