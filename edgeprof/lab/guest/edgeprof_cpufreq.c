// SPDX-License-Identifier: GPL-2.0
/*
 * INVENTED clocks: a driver of the kernel's cpufreq that sets nothing and remembers what it was told.
 *
 * Core, governors, limits and /sys are the kernel's own; no clock of this machine ever changes. The first half of the
 * cores is one group (600 to 1200 MHz), the second another (600 to 1800 MHz).
 */
#include <linux/cpufreq.h>
#include <linux/cpumask.h>
#include <linux/module.h>

static struct cpufreq_frequency_table little[] = {
	{ .frequency = 600000 }, { .frequency = 900000 }, { .frequency = 1200000 }, { .frequency = CPUFREQ_TABLE_END },
};
static struct cpufreq_frequency_table big[] = {
	{ .frequency = 600000 }, { .frequency = 1200000 }, { .frequency = 1800000 }, { .frequency = CPUFREQ_TABLE_END },
};
static unsigned int now_khz[2] = { 600000, 600000 };

static bool is_big(unsigned int cpu)
{
	return cpu >= num_possible_cpus() / 2;
}

static int invented_init(struct cpufreq_policy *policy)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (is_big(cpu) == is_big(policy->cpu))
			cpumask_set_cpu(cpu, policy->cpus);
	policy->freq_table = is_big(policy->cpu) ? big : little;
	policy->cpuinfo.transition_latency = 100000;
	return 0;
}

static int invented_target(struct cpufreq_policy *policy, unsigned int index)
{
	now_khz[is_big(policy->cpu)] = policy->freq_table[index].frequency;
	return 0;
}

static unsigned int invented_get(unsigned int cpu)
{
	return now_khz[is_big(cpu)];
}

static struct cpufreq_driver invented = {
	.name = "edgeprof-invented",
	.init = invented_init,
	.verify = cpufreq_generic_frequency_table_verify,
	.target_index = invented_target,
	.get = invented_get,
	.attr = cpufreq_generic_attr,
};

static int __init invented_start(void)
{
	return cpufreq_register_driver(&invented);
}

static void __exit invented_end(void)
{
	cpufreq_unregister_driver(&invented);
}

module_init(invented_start);
module_exit(invented_end);
MODULE_DESCRIPTION("Clocks that are invented, for virtual boards");
MODULE_LICENSE("GPL");
