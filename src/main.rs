fn main(){
  let a: Vec<String> = std::env::args().collect();
  let file=&a[4]; let get=|k:&str| a.iter().position(|x| x==k).map(|i| a[i+1].clone());
  let bytes=std::fs::read(file).unwrap();
  let url=get("--url").and_then(|u| url::Url::parse(&u).ok());
  let ct=get("--content-type");
  match courant::probe::read(courant::extract::Document{bytes:&bytes,url:url.as_ref(),content_type:ct.as_deref()}) {
    Ok(r)=>println!("{}", r.to_json_feed()), Err(e)=>{eprintln!("{e}"); std::process::exit(1)} }
}
