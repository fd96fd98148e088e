//! What holds for all hosts: they converge, whatever fails on the way, and are left alone then.

use super::*;

fn any_spec(number: u8) -> impl Strategy<Value = ServerSpec> {
    let target = prop_oneof![
        3 => Just(PowerTarget::On),
        1 => Just(PowerTarget::Off),
        1 => Just(PowerTarget::OffForced),
    ];
    (target, 1..4_u32, 0..3_u32, any::<bool>()).prop_map(move |(target, serial, reboots, open)| {
        let mut spec = spec(number);
        spec.power = Power { target, serial };
        spec.reboots = reboots;
        if open {
            spec.network.openings.push(Opening::Tcp {
                first: 22,
                last: 22,
            });
        }
        spec
    })
}

fn any_specs() -> impl Strategy<Value = Vec<ServerSpec>> {
    (
        any_spec(1),
        any_spec(2),
        any_spec(3),
        any_spec(4),
        0..=4_usize,
    )
        .prop_map(|(one, two, three, four, count)| {
            let mut specs = vec![one, two, three, four];
            specs.truncate(count);
            specs
        })
}

/// What the control plane says over time: at each step every server is absent from the manifest, present
/// or to be deleted, with counters that only grow.
fn any_history() -> impl Strategy<Value = Vec<Vec<(u8, Option<ServerSpec>)>>> {
    let server = |number| {
        let wanted = prop_oneof![3 => any_spec(number).prop_map(Some), 1 => Just(None)];
        (Just(number), wanted)
    };
    let step =
        (server(1), server(2), server(3), 1..=3_usize).prop_map(|(one, two, three, count)| {
            let mut step = vec![one, two, three];
            step.truncate(count);
            step
        });
    prop::collection::vec(step, 1..4)
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Fail),
        Just(Fault::FailAfterEffect),
        Just(Fault::HangAfterEffect)
    ]
}

/// The agent's memory over a simulated host: one round is a look, a plan and its execution, until an action
/// dies. A silent action is a death of the agent: only what was stored is left.
struct Life {
    host: Simulated,
    memory: Memory,
}

impl Life {
    fn round(&mut self, desired: &Desired) -> Plan {
        let now = self.host.now();
        let plan = plan(&View {
            desired,
            inventory: &self.host.truth(),
            memory: &self.memory,
            busy: &BTreeSet::new(),
            network_busy: false,
            rules: &RULES,
            now,
        });
        self.memory = plan.memory.clone();
        let tombstones = self.host.truth().tombstones;
        let is_ours = |server: &ServerId| {
            desired.servers.contains_key(server) || tombstones.contains_key(server)
        };
        assert!(
            plan.actions.keys().all(is_ours),
            "{plan:?} touches a stranger"
        );
        let network = plan
            .network
            .clone()
            .map(|state| (None, Action::ApplyNetwork(state)));
        let lists = network
            .into_iter()
            .map(|(server, action)| (server, vec![action]))
            .chain(
                plan.actions
                    .iter()
                    .map(|(server, list)| (Some(*server), list.clone())),
            );
        for (server, list) in lists {
            for action in list {
                self.memory.begin(server, &action, now);
                match self.host.carry_out(&action) {
                    Outcome::Answered(Ok(())) => {}
                    Outcome::Answered(Err(error)) => {
                        self.memory.fail(server, &action, &error, now);
                        break;
                    }
                    Outcome::Silent => return plan,
                }
            }
        }
        plan
    }

    /// Runs until nothing is left to do, and gives the number of rounds.
    fn settle(&mut self, desired: &Desired) -> Option<u32> {
        (0..60).find(|_| {
            let settled = self.round(desired).is_empty()
                && self.memory.network_attempt.is_none()
                && self
                    .memory
                    .servers
                    .values()
                    .all(|memory| memory.attempts.is_empty());
            // Longer than any pause and any start needs to count as good.
            self.host.advance(seconds(301));
            settled
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn a_host_as_desired_is_left_alone(specs in any_specs()) {
        let case = Case::done(&specs);
        let plan = case.plan();
        prop_assert!(plan.is_empty(), "{plan:?}");
        prop_assert_eq!(&plan.memory, &case.memory);
        prop_assert_eq!(plan.strangers, Vec::<String>::new());
        prop_assert!(plan.observed.iter().all(|server| server.problem.is_none()));
    }

    #[test]
    fn every_history_converges_through_every_fault(
        history in any_history(),
        faults in prop::collection::vec(any_fault(), 0..12),
        rude in any::<bool>(),
    ) {
        let host = Simulated::new(NOW, capacity());
        let strangers = [server(100), server(101)];
        for stranger in strangers {
            host.add_stranger(stranger);
        }
        if rude {
            host.set_manners(server(1), Manners::Ignores);
        }
        let untouched = |host: &Simulated| {
            strangers.map(|stranger| host.truth().domains.get(&stranger).cloned())
        };
        let before = untouched(&host);
        let mut life = Life { host, memory: Memory::default() };
        let mut faults = faults.into_iter();
        let (mut deleted, mut last) = (BTreeSet::new(), desired([]));
        for (index, step) in (0_u32..).zip(history) {
            // Half of the faults hit the way, half of them the next one.
            for fault in faults.by_ref().take(6) {
                life.host.inject(None, fault);
            }
            last = desired(step.into_iter().map(|(number, wanted)| match wanted {
                Some(mut spec) if !deleted.contains(&number) => {
                    spec.power.serial += 10 * index;
                    spec.reboots += 10 * index;
                    present(&spec)
                }
                _ => {
                    deleted.insert(number);
                    (server(number), Wanted::Delete)
                }
            }));
            for _ in 0..3 {
                life.round(&last);
                life.host.advance(seconds(1));
            }
        }
        prop_assert!(life.settle(&last).is_some() || rude, "{:?}", life.host.done());
        // The same manifest again changes nothing.
        let effects = life.host.done().len();
        let again = life.round(&last);
        prop_assert_eq!(life.host.done().len(), effects);
        prop_assert_eq!(life.host.violations(), Vec::<String>::new());
        prop_assert_eq!(untouched(&life.host), before);
        for observed in &again.observed {
            let wanted = &last.servers[&observed.server];
            let expected = match wanted {
                Wanted::Delete => matches!(observed.state, ObservedState::Absent),
                Wanted::Present(spec) if spec.power.target == PowerTarget::On => {
                    matches!(observed.state, ObservedState::Running { ready: true })
                }
                Wanted::Present(spec) => {
                    observed.state == ObservedState::Stopped
                        || rude && spec.server == server(1)
                }
            };
            prop_assert!(expected, "{observed:?} for {wanted:?}");
            if let Wanted::Present(spec) = wanted {
                prop_assert!(observed.power_serial == spec.power.serial || rude);
                prop_assert!(observed.reboots >= spec.reboots || rude);
            }
        }
    }

    #[test]
    fn a_restart_of_the_host_brings_back_what_shall_run(specs in any_specs()) {
        let host = Simulated::new(NOW, capacity());
        let mut life = Life { host, memory: Memory::default() };
        let desired = desired(specs.iter().map(present));
        prop_assert!(life.settle(&desired).is_some());
        life.host.restart_host();
        prop_assert!(life.settle(&desired).is_some());
        for spec in &specs {
            let run = life.host.truth().domains[&spec.server].run;
            prop_assert_eq!(run == DomainRun::Running, spec.power.target == PowerTarget::On);
        }
        prop_assert_eq!(life.host.violations(), Vec::<String>::new());
    }
}
