import { type UserLifecycleEvent, userLifecycleSchemas } from './generated/users.js'
import { defineTopic, type Topic } from './topic.js'

/** The life of users: `users.lifecycle.v1`, keyed by user id, so that the changes of one user keep their order. */
export const userLifecycle: Topic<UserLifecycleEvent> = defineTopic<UserLifecycleEvent>({
  name: 'users.lifecycle.v1',
  schemas: userLifecycleSchemas,
  key: ({ userId }) => userId,
})
