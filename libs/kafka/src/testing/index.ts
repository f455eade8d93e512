export { createTestTopic } from './create-test-topic.js'
export { deleteRecords } from './delete-records.js'
export { readAll } from './read-all.js'
export { sendGzipped } from './send-gzipped.js'
