export { type RelayTrialOptions, runRelayTrial, type TopicVerdict } from './relay-trial.js'
export { RELAY_STEPS, type RelayProcess, type RelayProcessSettings, type RelayStep, spawnRelay } from './spawn-relay.js'
