//! Debian's kernels: found by apt-cache, fetched by apt-get, unpacked, never installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::process;

/// A kernel that the tests can be run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kernel {
    /// Debian 12's own: no uprobe_multi, no rewriting of nops
    #[value(name = "6.1")]
    Old,
    /// Debian 13's, for Debian 12: uprobe_multi, no rewriting of nops
    #[value(name = "6.12")]
    Newer,
}

impl Kernel {
    /// The version that its packages' names begin with.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Old => "6.1",
            Self::Newer => "6.12",
        }
    }

    /// The package's name is this, a number or version of its own, and [`SUFFIX`].
    fn prefix(self) -> &'static str {
        match self {
            Self::Old => "linux-image-6.1.0-",
            Self::Newer => "linux-image-6.12.",
        }
    }
}

/// How the names of kernels without drivers for real hardware end.
const SUFFIX: &str = "-cloud-amd64";

/// The kernel's image, fetched if it is not in `folder` yet.
pub(super) fn provide(kernel: Kernel, folder: &Path) -> Result<PathBuf> {
    if let Some(image) = unpacked(kernel, folder)? {
        return Ok(image);
    }
    if process::which("apt-get").is_none() || process::which("dpkg-deb").is_none() {
        bail!("Debian's kernel packages are fetched by apt-get and dpkg-deb, and this machine has not both");
    }
    let package = match newest(kernel)? {
        Some(package) => package,
        None if process::is_root() => {
            process::success(&mut process::command(["apt-get", "update", "-qq"]))?;
            newest(kernel)?.with_context(|| nothing(kernel))?
        }
        None => bail!("{}; `apt-get update`, as root, may bring it", nothing(kernel)),
    };
    println!("fetching {package}, which is unpacked and not installed");
    let folder = folder.join(&package);
    fs::create_dir_all(&folder)?;
    // As root, apt would have another user download, who may not write here.
    let mut download =
        process::command(["apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", &package]);
    process::success(download.current_dir(&folder))?;
    let archive = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get left no package in {}", folder.display()))?;
    let image = image(&folder, &package);
    // The archive's other 100 MB are modules, which are not used.
    let unpacked = folder.join("unpacked");
    process::success(process::command(["dpkg-deb", "-x"]).arg(&archive).arg(&unpacked))?;
    fs::rename(unpacked.join("boot").join(image.file_name().context("the image's name")?), &image)
        .with_context(|| format!("{package} holds no {}", image.display()))?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_file(&archive)?;
    Ok(image)
}

fn nothing(kernel: Kernel) -> String {
    format!("apt-cache knows no package {}*{SUFFIX}", kernel.prefix())
}

fn image(folder: &Path, package: &str) -> PathBuf {
    folder.join(package.replacen("linux-image-", "vmlinuz-", 1))
}

/// The image of the newest package that was unpacked before.
fn unpacked(kernel: Kernel, folder: &Path) -> Result<Option<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let names: Vec<String> =
        fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let newest = pick(kernel, names.iter().map(String::as_str));
    Ok(newest.map(|package| image(&folder.join(package), package)).filter(|image| image.is_file()))
}

/// The newest of Debian's packages of this kernel.
fn newest(kernel: Kernel) -> Result<Option<String>> {
    let mut search = process::command(["apt-cache", "pkgnames", kernel.prefix()]);
    let names = process::output(&mut search)?;
    Ok(pick(kernel, names.lines()).map(str::to_owned))
}

/// The name with the highest numbers. Debug symbols and images without a signature end otherwise.
fn pick<'a>(kernel: Kernel, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .filter_map(|name| {
            let version = name.strip_prefix(kernel.prefix())?.strip_suffix(SUFFIX)?;
            let number = version.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()?;
            Some((number, name))
        })
        .max()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_package_is_picked_by_number() {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64-dbg",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-57-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-6.12.9+deb12-cloud-amd64",
            "linux-image-6.12-cloud-amd64",
        ];
        assert_eq!(pick(Kernel::Old, names.into_iter()), Some("linux-image-6.1.0-50-cloud-amd64"));
        assert_eq!(pick(Kernel::Newer, names.into_iter()), Some("linux-image-6.12.117+deb12-cloud-amd64"));
        assert_eq!(pick(Kernel::Old, ["linux-image-amd64"].into_iter()), None);
    }

    #[test]
    fn an_image_is_named_as_debian_names_it() {
        let image = image(Path::new("/k"), "linux-image-6.1.0-56-cloud-amd64");
        assert_eq!(image, Path::new("/k/vmlinuz-6.1.0-56-cloud-amd64"));
    }
}
