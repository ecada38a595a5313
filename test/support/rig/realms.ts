/** People of the tests need a second factor; whoever else there is has none to need. */
export const staffAndRest = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;
