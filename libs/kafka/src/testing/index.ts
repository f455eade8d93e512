export { createTestTopic } from './create-test-topic.js'
export { readAll } from './read-all.js'
