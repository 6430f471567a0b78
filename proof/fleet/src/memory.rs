//! What stands in the memory of a process, by `/proc/PID/maps` and `/proc/PID/mem`.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// One process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

/// Processes whose command line names a path below a folder.
pub fn processes_below(folder: &Path) -> Vec<Process> {
    let folder = folder.display().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        command.contains(&folder).then_some(Process { pid, command })
    });
    found.collect()
}

/// Which of the needles stand in the readable memory of a process.
///
/// # Errors
/// If the process's memory cannot be read at all: then nothing was looked at.
pub fn scan(pid: u32, needles: &[&[u8]]) -> std::io::Result<Vec<bool>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut found = vec![false; needles.len()];
    let mut read = 0_usize;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (Some(range), Some(rights)) = (fields.next(), fields.next()) else { continue };
        let special = line.ends_with("[vvar]") || line.ends_with("[vsyscall]");
        if !rights.starts_with('r') || special {
            continue;
        }
        let Some((start, end)) = parse_range(range) else { continue };
        let Ok(length) = usize::try_from(end - start) else { continue };
        let mut bytes = vec![0; length];
        if memory.seek(SeekFrom::Start(start)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        read += length;
        for (needle, found) in needles.iter().zip(&mut found) {
            *found = *found || bytes.windows(needle.len()).any(|window| window == *needle);
        }
    }
    if read == 0 {
        return Err(std::io::Error::other("no memory of the process could be read"));
    }
    Ok(found)
}

fn parse_range(range: &str) -> Option<(u64, u64)> {
    let (start, end) = range.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}
